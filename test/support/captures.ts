import { readFileSync } from 'node:fs';

/** One PDK call as it was recorded against a real Kong 3.9.1. */
export interface RecordedCall {
  method: string;
  phase: string;
  args: unknown;
  argsHex?: string;
  /** The hex was longer than 4 KB and is cut. */
  argsTruncated?: string;
  replyHex?: string | null;
  replyTruncated?: string;
  reply: unknown;
  noReply?: string;
  note?: string;
}

export interface RecordedFrame {
  dir?: 'kong>server' | 'server>kong';
  what?: string;
  ev?: string;
  wireHex?: string;
  hex?: string;
  decoded?: unknown;
  conn?: number;
}

export interface Conversation {
  name: string;
  frames?: RecordedFrame[];
}

/** Reads a file of test/fixtures/kong-captures. */
export function captures<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/kong-captures/${name}`, import.meta.url), 'utf8')) as T;
}

/** Long hex is cut in the recordings, with a note in its place. */
export function isWholeHex(hex: unknown): hex is string {
  return typeof hex === 'string' && /^([0-9a-f]{2})*$/.test(hex);
}
