import { Reader } from './reader.js';
import { writeValue } from './value.js';
import type { Writer } from './writer.js';

// The messages that nearly every request brings, without the detour through the table of fields.

const TEXT = 0x0a;
const INT = 0x08;
const PAIR_KEY = 0x0a;
const PAIR_VALUE = 0x12;

/** Reads a `String`. Throws as {@link Reader} does. */
export function readText(payload: Buffer): string {
  const reader = new Reader(payload);
  let text = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === TEXT) text = reader.text();
    else reader.skip(tag);
  }
  return text;
}

/** Writes an `Int`; the caller has made sure that it has 32 bits. */
export function writeInt(writer: Writer, value: number): void {
  if (value === 0) return;
  writer.varint(INT);
  writer.varint(value);
}

/** Writes a `KV`; a value that is `undefined` is absent. Throws as `writeValue` does. */
export function writePair(writer: Writer, key: string | Uint8Array, value: unknown): void {
  if (key.length > 0) {
    writer.varint(PAIR_KEY);
    writer.text(key);
  }
  if (value === undefined) return;
  writer.varint(PAIR_VALUE);
  const mark = writer.open();
  writeValue(writer, value);
  writer.close(mark);
}
