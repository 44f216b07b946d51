import { ProtocolError } from '../errors.js';
import { decodeKey, decodeText } from '../text.js';

/** Protocol Buffers wire types that the messages of Kong's protocol use, and fixed32, which is only ever skipped. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

const TWO_TO_32 = 2 ** 32;
/**
 * In a message with all that is in it. A frame of the greatest length could have millions, of two bytes each, and become
 * a hundred times as large in memory.
 */
const MAX_FIELDS = 1_048_576;

/** Reads the wire form of a message from a slice of bytes. Throws {@link ProtocolError} on anything malformed. */
export class Reader {
  private bytes: Buffer;
  pos: number;
  end: number;
  private tags = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
  }

  /** The next tag (field number × 8 + wire type), or 0 at the end of the message. */
  tag(): number {
    if (this.pos >= this.end) return 0;
    if (++this.tags > MAX_FIELDS) {
      throw new ProtocolError('FRAME_TOO_LARGE', `a message of more than ${MAX_FIELDS} fields`);
    }
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw malformed('field number 0');
    return tag;
  }

  /** A varint cut to its low 32 bits, unsigned. */
  uint32(): number {
    const bytes = this.bytes;
    let byte = this.pos < this.end ? (bytes[this.pos++] as number) : this.truncated();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = this.pos < this.end ? (bytes[this.pos++] as number) : this.truncated();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed('a varint of more than 10 bytes');
  }

  int32(): number {
    return this.uint32() | 0;
  }

  /** A signed 64-bit varint as a number; beyond 2^53 it is rounded, as it is in Lua. */
  int64(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.pos < this.end ? (this.bytes[this.pos++] as number) : this.truncated();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 64) high |= bits << (shift - 32);
      if (byte < 0x80) return (high | 0) * TWO_TO_32 + (low >>> 0);
    }
    throw malformed('a varint of more than 10 bytes');
  }

  bool(): boolean {
    return this.int64() !== 0;
  }

  double(): number {
    if (this.pos + 8 > this.end) this.truncated();
    const value = this.bytes.readDoubleLE(this.pos);
    this.pos += 8;
    return value;
  }

  text(): string {
    const end = this.lengthEnd();
    const value = decodeText(this.bytes, this.pos, end);
    this.pos = end;
    return value;
  }

  key(): string {
    const end = this.lengthEnd();
    const value = decodeKey(this.bytes, this.pos, end);
    this.pos = end;
    return value;
  }

  /** A copy, so that a kept body does not keep the whole chunk it came in. */
  byteString(): Buffer {
    const end = this.lengthEnd();
    const value = Buffer.from(this.bytes.subarray(this.pos, end));
    this.pos = end;
    return value;
  }

  /**
   * Enters a sub-message: narrows `end` to it. Returns the outer end, to be handed to {@link leave}.
   */
  enter(): number {
    const outer = this.end;
    this.end = this.lengthEnd();
    return outer;
  }

  leave(outer: number): void {
    this.pos = this.end;
    this.end = outer;
  }

  /** Skips a field that is not known here, as Protocol Buffers asks of every reader. */
  skip(tag: number, _message?: string): void {
    switch (tag & 7) {
      case VARINT:
        this.uint32();
        return;
      case FIXED64:
        if (this.pos + 8 > this.end) this.truncated();
        this.pos += 8;
        return;
      case LENGTH_DELIMITED:
        this.pos = this.lengthEnd();
        return;
      case FIXED32:
        if (this.pos + 4 > this.end) this.truncated();
        this.pos += 4;
        return;
      default:
        throw malformed(`wire type ${tag & 7} in field ${tag >>> 3}`);
    }
  }

  private lengthEnd(): number {
    const length = this.uint32();
    const end = this.pos + length;
    if (end > this.end) this.truncated();
    return end;
  }

  private truncated(): never {
    throw malformed('a field that ends beyond its message');
  }
}

export function malformed(what: string): ProtocolError {
  return new ProtocolError('MALFORMED_MESSAGE', `malformed ProtoBuf message: ${what}`);
}
