import type { HeaderNames } from './client/header-names.js';

/** Headers as the PDK gives them: lower-case names; a repeated header is an array of its values. */
export type HeaderMap = Record<string, string | readonly string[] | undefined>;

/** What a client presents to prove who it is. */
export interface Credentials {
  readonly certificateId: string;
  readonly signature: string;
  readonly time: string;
}

/** The three headers' values, or undefined when one is absent, empty or sent more than once. */
export function readCredentials(headers: HeaderMap, names: HeaderNames): Credentials | undefined {
  const certificateId = single(headers, names.certificateId);
  const signature = single(headers, names.signature);
  const time = single(headers, names.time);
  return certificateId && signature && time ? { certificateId, signature, time } : undefined;
}

/** The length of the body that the client announced, in bytes; 0 without a length, as for chunked bodies. */
export function announcedLength(headers: HeaderMap): number {
  return Number(single(headers, 'content-length') ?? 0);
}

// Servers that speak MsgPack may give every header as an array: an array of one is one value.
function single(headers: HeaderMap, name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value = headers[name];
  if (typeof value === 'string') return value;
  return value?.length === 1 ? value[0] : undefined;
}
