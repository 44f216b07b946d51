import { ProtocolError } from '../errors.js';
import * as format from './formats.js';
import { RawString } from './raw-string.js';

/** Arrays and objects inside one another that `encode` follows. The stock server has the same bound. */
const MAX_DEPTH = 100;
/** Up to this many characters a string is tried as ASCII, byte by byte: cheaper than native code. */
const SHORT_STRING = 32;
const SCRATCH_BYTES = 8 * 1024;

/**
 * Encodes one value as MessagePack, in the smallest form of each type and map keys in insertion order.
 *
 * - undefined and null → nil; integers up to ±2^53 → int, other numbers → float64; bigint → 64-bit integer.
 * - string → str (UTF-8), RawString → str (its bytes), Buffer and other views of memory → bin.
 * - array → array; Map → map with keys of any type; other objects → map of their own enumerable members. Members
 *   that are functions are left out, members that are undefined are written as nil. Objects with `toJSON` (dates) are
 *   written as its result.
 *
 * @throws {ProtocolError} UNENCODABLE_VALUE (function, symbol, bigint over 64 bits) or NESTING_TOO_DEEP (over
 *   100 levels, which is what a cycle comes to)
 */
export function encode(value: unknown): Buffer {
  const encoder = spare ?? new Encoder();
  spare = undefined;
  try {
    encoder.value(value, 0);
    return encoder.take();
  } finally {
    // A toJSON method may call encode, hence one encoder for each call that is under way, and one kept.
    encoder.reset();
    spare = encoder;
  }
}

let spare: Encoder | undefined;

class Encoder {
  #bytes = Buffer.allocUnsafe(SCRATCH_BYTES);
  #at = 0;

  /** What was written, in memory of its own. */
  take(): Buffer {
    if (this.#at <= SCRATCH_BYTES) return Buffer.from(this.#bytes.subarray(0, this.#at));
    const written = this.#bytes.subarray(0, this.#at);
    this.#bytes = Buffer.allocUnsafe(SCRATCH_BYTES);
    return written;
  }

  reset(): void {
    this.#at = 0;
    if (this.#bytes.length > SCRATCH_BYTES) this.#bytes = Buffer.allocUnsafe(SCRATCH_BYTES);
  }

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        this.#string(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'undefined':
        this.#byte(format.NIL);
        return;
      case 'boolean':
        this.#byte(value ? format.TRUE : format.FALSE);
        return;
      case 'bigint':
        this.#bigint(value);
        return;
      case 'object':
        if (value === null) this.#byte(format.NIL);
        else this.#object(value, depth);
        return;
      default:
        throw new ProtocolError('UNENCODABLE_VALUE', `MessagePack has no form for a ${typeof value}`);
    }
  }

  #object(value: object, depth: number): void {
    if (ArrayBuffer.isView(value)) {
      this.#binary(value);
    } else if (value instanceof RawString) {
      this.#stringHeader(value.bytes.length);
      this.#copy(value.bytes);
    } else if (depth >= MAX_DEPTH) {
      throw new ProtocolError(
        'NESTING_TOO_DEEP',
        `value nests arrays and objects more than ${MAX_DEPTH} deep, or contains itself`,
      );
    } else if (Array.isArray(value)) {
      this.#header(value.length, format.FIXARRAY, format.ARRAY16, format.ARRAY32);
      for (const item of value) this.value(item, depth + 1);
    } else if (value instanceof Map) {
      this.#header(value.size, format.FIXMAP, format.MAP16, format.MAP32);
      for (const [key, member] of value) {
        this.value(key, depth + 1);
        this.value(member, depth + 1);
      }
    } else if ('toJSON' in value && typeof value.toJSON === 'function') {
      this.value(value.toJSON(), depth + 1);
    } else {
      this.#map(value as Record<string, unknown>, depth);
    }
  }

  #map(map: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(map);
    let count = 0;
    for (const key of keys) if (typeof map[key] !== 'function') count++;
    this.#header(count, format.FIXMAP, format.MAP16, format.MAP32);
    for (const key of keys) {
      const member = map[key];
      if (typeof member === 'function') continue;
      this.#string(key);
      this.value(member, depth + 1);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      const at = this.#reserve(9);
      this.#bytes[at] = format.FLOAT64;
      this.#bytes.writeDoubleBE(value, at + 1);
    } else if (value >= 0) {
      if (value <= format.POSITIVE_FIXINT_MAX) this.#byte(value);
      else if (value <= 0xff) this.#tagged(format.UINT8, value, 1);
      else if (value <= 0xffff) this.#tagged(format.UINT16, value, 2);
      else if (value <= 0xffff_ffff) this.#tagged(format.UINT32, value, 4);
      else this.#wide(format.UINT64, Math.floor(value / 0x1_0000_0000), value);
    } else if (value >= -0x20) this.#byte(value + 256);
    else if (value >= -0x80) this.#tagged(format.INT8, value, 1);
    else if (value >= -0x8000) this.#tagged(format.INT16, value, 2);
    else if (value >= -0x8000_0000) this.#tagged(format.INT32, value, 4);
    else this.#wide(format.INT64, Math.floor(value / 0x1_0000_0000), value);
  }

  #bigint(value: bigint): void {
    if (BigInt.asUintN(64, value) === value) {
      this.#wide(format.UINT64, Number(value >> 32n), Number(value & 0xffff_ffffn));
    } else if (BigInt.asIntN(64, value) === value) {
      this.#wide(format.INT64, Number(value >> 32n), Number(value & 0xffff_ffffn));
    } else {
      throw new ProtocolError('UNENCODABLE_VALUE', 'MessagePack has no integers of more than 64 bits');
    }
  }

  #string(text: string): void {
    const length = text.length;
    if (length <= SHORT_STRING) {
      // Room for the worst case of what is tried first: a two-byte header and ASCII.
      const start = this.#reserve(length + 2);
      const bytes = this.#bytes;
      let at = start;
      if (length < 32) {
        bytes[at++] = format.FIXSTR + length;
      } else {
        bytes[at++] = format.STR8;
        bytes[at++] = length;
      }
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[at++] = code;
      }
      if (i === length) {
        this.#at = at;
        return;
      }
      this.#at = start;
    }
    const size = Buffer.byteLength(text, 'utf8');
    this.#stringHeader(size);
    const at = this.#reserve(size);
    this.#bytes.write(text, at, size, 'utf8');
  }

  #stringHeader(size: number): void {
    if (size < 32) this.#byte(format.FIXSTR + size);
    else if (size <= 0xff) this.#tagged(format.STR8, size, 1);
    else if (size <= 0xffff) this.#tagged(format.STR16, size, 2);
    else this.#tagged(format.STR32, size, 4);
  }

  #binary(view: ArrayBufferView): void {
    const size = view.byteLength;
    if (size <= 0xff) this.#tagged(format.BIN8, size, 1);
    else if (size <= 0xffff) this.#tagged(format.BIN16, size, 2);
    else this.#tagged(format.BIN32, size, 4);
    this.#copy(new Uint8Array(view.buffer, view.byteOffset, size));
  }

  #header(count: number, fixed: number, tag16: number, tag32: number): void {
    if (count < 16) this.#byte(fixed + count);
    else if (count <= 0xffff) this.#tagged(tag16, count, 2);
    else this.#tagged(tag32, count, 4);
  }

  #copy(source: Uint8Array): void {
    const at = this.#reserve(source.length);
    this.#bytes.set(source, at);
  }

  #byte(byte: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = byte;
  }

  /** A first byte and `size` bytes of a whole number, two's complement. */
  #tagged(tag: number, value: number, size: 1 | 2 | 4): void {
    let at = this.#reserve(1 + size);
    const bytes = this.#bytes;
    bytes[at++] = tag;
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) bytes[at++] = value >>> shift;
  }

  /** A 64-bit integer by its high half (signed or not) and its low 32 bits. */
  #wide(tag: number, high: number, low: number): void {
    this.#tagged(tag, high, 4);
    let at = this.#reserve(4);
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[at++] = low >>> shift;
  }

  /** Makes room for `size` bytes and returns where they start. */
  #reserve(size: number): number {
    const start = this.#at;
    const end = start + size;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    this.#at = end;
    return start;
  }
}
