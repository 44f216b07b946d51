import type { HeaderNames } from './client/header-names.js';
import { CUSTOMER_HEADER } from './config.js';

/** Headers as the PDK gives them: lower-case names; a repeated header is an array of its values. */
export type HeaderMap = Record<string, string | readonly string[] | undefined>;

/** The most headers that Kong hands out. */
export const MAX_HEADERS = 1000;

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

/**
 * Looks over all headers once: whether there may be more than Kong handed out (then a repeated header could hide
 * behind the limit), and which headers an upstream could take for `X-Customer-Id` because it reads `_` as `-`, as
 * CGI and WSGI do.
 */
export function surveyHeaders(headers: HeaderMap): { complete: boolean; lookalikes: readonly string[] } {
  let count = 0;
  let lookalikes: string[] | undefined;
  for (const name in headers) {
    const value = headers[name];
    count += typeof value === 'object' ? value.length : 1;
    if (name.length === CUSTOMER_HEADER.length && name.includes('_')) {
      if (name.replaceAll('_', '-').toLowerCase() === CUSTOMER_HEADER) {
        lookalikes ??= [];
        lookalikes.push(name);
      }
    }
  }
  return { complete: count < MAX_HEADERS, lookalikes: lookalikes ?? NONE };
}

const NONE: readonly string[] = [];

// Servers that speak MsgPack may give every header as an array: an array of one is one value.
function single(headers: HeaderMap, name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value = headers[name];
  if (typeof value === 'string') return value;
  return value?.length === 1 ? value[0] : undefined;
}
