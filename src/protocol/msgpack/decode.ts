import { ProtocolError } from '../errors.js';
import { decodeKey, decodeText } from '../text.js';
import * as format from './formats.js';
import { DEFAULT_LIMITS } from './limits.js';

/**
 * Decodes exactly one MessagePack value, from `offset` to the end of `bytes`.
 *
 * - nil → null; integers and floats → number. 64-bit integers beyond ±2^53 lose precision, as in Kong's Lua.
 * - str → string, as UTF-8 if it is valid UTF-8, else one character per byte (latin1).
 * - bin → Buffer, a view of `bytes`.
 * - map → plain object; keys may be strings, binary, numbers or booleans and become strings; the last of equal
 *   keys counts; `__proto__` is an ordinary key.
 *
 * @throws {ProtocolError} MALFORMED_MESSAGE (cut off, trailing bytes, extension types, a key of another type)
 *   or NESTING_TOO_DEEP
 */
export function decode(bytes: Uint8Array, offset = 0, maxDepth: number = DEFAULT_LIMITS.maxDepth): unknown {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const cursor = new Cursor(buffer, offset, maxDepth);
  const value = cursor.value(0);
  if (cursor.at !== buffer.length) {
    throw malformed(`${buffer.length - cursor.at} bytes follow the value that ends at byte ${cursor.at}`);
  }
  return value;
}

class Cursor {
  at: number;
  readonly #bytes: Buffer;
  readonly #maxDepth: number;

  constructor(bytes: Buffer, offset: number, maxDepth: number) {
    this.#bytes = bytes;
    this.at = offset;
    this.#maxDepth = maxDepth;
  }

  value(depth: number): unknown {
    const first = this.#take(1);
    if (first <= format.POSITIVE_FIXINT_MAX) return first;
    if (first >= format.NEGATIVE_FIXINT) return first - 256;
    if (first <= format.FIXMAP_MAX) return this.#map(first & 0x0f, depth);
    if (first <= format.FIXARRAY_MAX) return this.#array(first & 0x0f, depth);
    if (first <= format.FIXSTR_MAX) return this.#string(first & 0x1f);
    switch (first) {
      case format.NIL:
        return null;
      case format.FALSE:
        return false;
      case format.TRUE:
        return true;
      case format.BIN8:
        return this.#binary(this.#take(1));
      case format.BIN16:
        return this.#binary(this.#take(2));
      case format.BIN32:
        return this.#binary(this.#take(4));
      case format.FLOAT32:
        return this.#bytes.readFloatBE(this.#advance(4));
      case format.FLOAT64:
        return this.#bytes.readDoubleBE(this.#advance(8));
      case format.UINT8:
        return this.#take(1);
      case format.UINT16:
        return this.#take(2);
      case format.UINT32:
        return this.#take(4);
      case format.UINT64:
        return this.#take(4) * 0x1_0000_0000 + this.#take(4);
      case format.INT8:
        return (this.#take(1) << 24) >> 24;
      case format.INT16:
        return (this.#take(2) << 16) >> 16;
      case format.INT32:
        return this.#take(4) | 0;
      case format.INT64:
        return (this.#take(4) | 0) * 0x1_0000_0000 + this.#take(4);
      case format.STR8:
        return this.#string(this.#take(1));
      case format.STR16:
        return this.#string(this.#take(2));
      case format.STR32:
        return this.#string(this.#take(4));
      case format.ARRAY16:
        return this.#array(this.#take(2), depth);
      case format.ARRAY32:
        return this.#array(this.#take(4), depth);
      case format.MAP16:
        return this.#map(this.#take(2), depth);
      case format.MAP32:
        return this.#map(this.#take(4), depth);
      default:
        throw malformed(
          `byte 0x${first.toString(16)} at byte ${this.at - 1} starts no value that Kong sends`,
        );
    }
  }

  /** Moves on by `size` bytes and returns where they start. */
  #advance(size: number): number {
    const start = this.at;
    if (start + size > this.#bytes.length) {
      throw malformed(`cut off at byte ${this.#bytes.length}: ${size} bytes were to follow byte ${start}`);
    }
    this.at = start + size;
    return start;
  }

  /** An unsigned big-endian number of 1, 2 or 4 bytes. */
  #take(size: 1 | 2 | 4): number {
    const start = this.#advance(size);
    const bytes = this.#bytes;
    let number = bytes[start] as number;
    for (let i = 1; i < size; i++) number = number * 256 + (bytes[start + i] as number);
    return number;
  }

  #binary(size: number): Buffer {
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  #string(size: number): string {
    const start = this.#advance(size);
    return decodeText(this.#bytes, start, start + size);
  }

  #array(count: number, depth: number): unknown[] {
    this.#enter(count, depth);
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    this.#enter(count * 2, depth);
    const map: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key(depth + 1);
      const value = this.value(depth + 1);
      if (key === '__proto__') {
        // Plain assignment would replace the object's prototype by what the peer sent.
        Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
      } else {
        map[key] = value;
      }
    }
    return map;
  }

  #key(depth: number): string {
    const start = this.at;
    const first = this.#bytes[start] as number;
    if (first >= format.FIXSTR && first <= format.FIXSTR_MAX) {
      const begin = this.#advance(1 + (first & 0x1f)) + 1;
      return decodeKey(this.#bytes, begin, this.at);
    }
    const key = this.value(depth);
    if (typeof key === 'string') return key;
    if (typeof key === 'number' || typeof key === 'boolean') return String(key);
    if (Buffer.isBuffer(key)) return decodeText(key, 0, key.length);
    const kind = key === null ? 'nil' : Array.isArray(key) ? 'an array' : 'a map';
    throw malformed(`the map key at byte ${start} is ${kind}`);
  }

  #enter(values: number, depth: number): void {
    if (depth >= this.#maxDepth) {
      throw new ProtocolError(
        'NESTING_TOO_DEEP',
        `MessagePack message nests arrays and maps more than ${this.#maxDepth} deep`,
      );
    }
    if (values > this.#bytes.length - this.at) {
      throw malformed(
        `${values} values are announced at byte ${this.at}, ${this.#bytes.length - this.at} bytes are left`,
      );
    }
  }
}

function malformed(what: string): ProtocolError {
  return new ProtocolError('MALFORMED_MESSAGE', `MessagePack message: ${what}`);
}
