import { readFileSync } from 'node:fs';
import type { LuaValue } from '../../src/gateway/plugin-port.js';

/** One recorded PDK call. */
export interface Vector {
  readonly method: string;
  readonly phase: 'access' | 'response' | 'log';
  readonly plugin?: string;
  readonly args: unknown;
  readonly argsHex?: string;
  readonly reply: unknown;
  readonly replyHex?: string;
  readonly replyTruncated?: string;
  readonly argsTruncated?: string;
  readonly noReply?: string;
  readonly note?: string;
  readonly request?: RecordedRequest | string;
  readonly afterCallsInSameEvent?: readonly string[];
  readonly client?: RecordedResponse;
  readonly upstream?: readonly RecordedUpstream[] | string;
  readonly kongErrorLog?: readonly string[];
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string | { hex: string }])[];
  readonly version?: string;
  readonly tls?: boolean;
  readonly bodyLen?: number;
  readonly body?: string;
}

export interface RecordedResponse {
  readonly statusLine: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface RecordedUpstream {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export type NumberedVector = Vector & { readonly number: number };

/** A run of calls that were made in one event. */
export type VectorEvent = readonly NumberedVector[];

export function readVectors(protocol: 'protobuf' | 'msgpack'): NumberedVector[] {
  const file = new URL(`../fixtures/kong-captures/${protocol}/methods.json`, import.meta.url);
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
  return vectors.map((vector, number) => ({ ...vector, number }));
}

/**
 * Puts the vectors of one event together. A vector whose earlier calls are not all recorded cannot be replayed:
 * it is in `skipped`.
 */
export function groupEvents(vectors: readonly NumberedVector[]): {
  events: VectorEvent[];
  skipped: NumberedVector[];
} {
  const events: NumberedVector[][] = [];
  const skipped: NumberedVector[] = [];
  for (const vector of vectors) {
    const before = vector.afterCallsInSameEvent;
    const current = events.at(-1);
    if (before === undefined) {
      events.push([vector]);
    } else if (current !== undefined && current.map(({ method }) => method).join() === before.join()) {
      current.push(vector);
    } else {
      skipped.push(vector);
    }
  }
  return { events, skipped };
}

/** The recorded JSON form of a MsgPack value as the Lua value it stands for. */
export function fromRecorded(value: unknown): LuaValue {
  if (value === null || value === undefined || value === '(no Data key: nil)') {
    return undefined;
  }
  if (typeof value === 'string') {
    return Buffer.from(value, 'utf8').toString('latin1');
  }
  if (Array.isArray(value)) {
    return value.map(fromRecorded);
  }
  if (typeof value === 'object') {
    const { strHex, bytesHex, bin } = value as { strHex?: string; bytesHex?: string; bin?: string };
    const hex = strHex ?? bytesHex ?? bin;
    if (hex !== undefined) {
      return Buffer.from(hex, 'hex').toString('latin1');
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key.replace(/^\(int\) /, ''), fromRecorded(item)]),
    );
  }
  return value as LuaValue;
}
