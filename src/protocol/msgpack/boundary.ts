import { ProtocolError } from '../errors.js';
import * as format from './formats.js';
import type { MessageLimits } from './limits.js';

/** What follows the first byte, for 0xc0 to 0xdf: bytes of a length or count, or bytes of a fixed body. */
const LENGTH_BYTES = new Uint8Array(256);
const FIXED_BYTES = new Uint8Array(256);
for (const [first, bytes] of [
  [format.BIN8, 1],
  [format.BIN16, 2],
  [format.BIN32, 4],
  [format.STR8, 1],
  [format.STR16, 2],
  [format.STR32, 4],
  [format.ARRAY16, 2],
  [format.ARRAY32, 4],
  [format.MAP16, 2],
  [format.MAP32, 4],
] as const) {
  LENGTH_BYTES[first] = bytes;
}
for (const [first, bytes] of [
  [format.FLOAT32, 4],
  [format.FLOAT64, 8],
  [format.UINT8, 1],
  [format.UINT16, 2],
  [format.UINT32, 4],
  [format.UINT64, 8],
  [format.INT8, 1],
  [format.INT16, 2],
  [format.INT32, 4],
  [format.INT64, 8],
] as const) {
  FIXED_BYTES[first] = bytes;
}

/**
 * Finds where a MessagePack value ends in a stream that may be cut at any byte.
 *
 * It looks at each first byte and each length once and skips bodies unread. Its state is a few numbers and
 * one count per open array or map, so what a header claims costs nothing.
 */
export class BoundaryScanner {
  readonly #limits: MessageLimits;
  /** Values still to come in each open array or map, outermost first. */
  readonly #open: number[] = [];
  /** Bytes of the current message seen so far. */
  #seen = 0;
  #values = 0;
  /** Body bytes to pass over. */
  #skip = 0;
  /** First byte of the value whose length is being read, and how many bytes of that length are missing. */
  #first = 0;
  #lengthMissing = 0;
  #length = 0;

  constructor(limits: MessageLimits) {
    this.#limits = limits;
  }

  /**
   * Reads on from `offset` and returns the offset just behind the message, or -1 if the chunk ends first.
   * After a message the scanner stands at the start of the next one.
   *
   * @throws {ProtocolError} FRAME_TOO_LARGE, NESTING_TOO_DEEP or MALFORMED_MESSAGE
   */
  scan(chunk: Uint8Array, offset: number): number {
    const end = chunk.length;
    let at = offset;
    while (at < end) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, end - at);
        this.#skip -= passed;
        at += passed;
        if (this.#skip > 0) break;
        if (this.#valueEnded()) return this.#finish(at, offset);
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.#lengthMissing > 0) {
        this.#length = this.#length * 256 + byte;
        this.#lengthMissing--;
        if (this.#lengthMissing > 0) continue;
        if (this.#lengthKnown(this.#seen + at - offset)) return this.#finish(at, offset);
      } else if (this.#startValue(byte, this.#seen + at - offset)) {
        return this.#finish(at, offset);
      }
    }
    this.#seen += at - offset;
    if (this.#seen > this.#limits.maxBytes) throw this.#tooLarge(this.#seen);
    return -1;
  }

  /** Takes the first byte of a value. True when the message ends with it. */
  #startValue(first: number, seen: number): boolean {
    this.#countValues(1);
    if (first <= format.POSITIVE_FIXINT_MAX || first >= format.NEGATIVE_FIXINT) return this.#valueEnded();
    if (first <= format.FIXMAP_MAX) return this.#openContainer((first & 0x0f) * 2, seen);
    if (first <= format.FIXARRAY_MAX) return this.#openContainer(first & 0x0f, seen);
    if (first <= format.FIXSTR_MAX) return this.#startBody(first & 0x1f, seen);
    if (first === format.NEVER_USED || format.isExtension(first)) {
      throw new ProtocolError(
        'MALFORMED_MESSAGE',
        `MessagePack byte 0x${first.toString(16)} at byte ${seen - 1} of a message starts no value that Kong sends`,
      );
    }
    const lengthBytes = LENGTH_BYTES[first] as number;
    if (lengthBytes === 0) return this.#startBody(FIXED_BYTES[first] as number, seen);
    this.#first = first;
    this.#length = 0;
    this.#lengthMissing = lengthBytes;
    return false;
  }

  #lengthKnown(seen: number): boolean {
    switch (this.#first) {
      case format.ARRAY16:
      case format.ARRAY32:
        return this.#openContainer(this.#length, seen);
      case format.MAP16:
      case format.MAP32:
        return this.#openContainer(this.#length * 2, seen);
      default:
        return this.#startBody(this.#length, seen);
    }
  }

  #startBody(bytes: number, seen: number): boolean {
    if (seen + bytes > this.#limits.maxBytes) throw this.#tooLarge(seen + bytes);
    this.#skip = bytes;
    return bytes === 0 && this.#valueEnded();
  }

  #openContainer(values: number, seen: number): boolean {
    // Every value takes a byte at least, so a count beyond the limit is refused before its values arrive.
    if (seen + values > this.#limits.maxBytes) throw this.#tooLarge(seen + values);
    if (this.#values + values > this.#limits.maxValues) this.#countValues(values);
    if (this.#open.length >= this.#limits.maxDepth) {
      throw new ProtocolError(
        'NESTING_TOO_DEEP',
        `MessagePack message nests arrays and maps more than ${this.#limits.maxDepth} deep`,
      );
    }
    if (values === 0) return this.#valueEnded();
    this.#open.push(values);
    return false;
  }

  /** Counts a finished value off the open containers. True when none is left open. */
  #valueEnded(): boolean {
    const open = this.#open;
    while (open.length > 0) {
      const left = (open[open.length - 1] as number) - 1;
      if (left > 0) {
        open[open.length - 1] = left;
        return false;
      }
      open.pop();
    }
    return true;
  }

  #finish(at: number, offset: number): number {
    const bytes = this.#seen + at - offset;
    if (bytes > this.#limits.maxBytes) throw this.#tooLarge(bytes);
    this.#seen = 0;
    this.#values = 0;
    return at;
  }

  #countValues(values: number): void {
    this.#values += values;
    if (this.#values > this.#limits.maxValues) {
      throw new ProtocolError(
        'FRAME_TOO_LARGE',
        `MessagePack message holds more than ${this.#limits.maxValues} values`,
      );
    }
  }

  #tooLarge(bytes: number): ProtocolError {
    return new ProtocolError(
      'FRAME_TOO_LARGE',
      `MessagePack message needs ${bytes} bytes or more, the limit is ${this.#limits.maxBytes}`,
    );
  }
}
