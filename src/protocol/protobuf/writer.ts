const INITIAL_BYTES = 256;
const TWO_TO_32 = 2 ** 32;
/** Below this length a loop over the characters beats a call into the runtime. */
const SHORT_TEXT = 48;

/** Builds messages and frames in one growing buffer. */
export class Writer {
  private bytes: Buffer | undefined;
  private pos = 0;

  /** Bytes written since the last {@link take}. */
  get length(): number {
    return this.pos;
  }

  /** Hands out what was written and starts afresh; the bytes are the caller's. */
  take(): Buffer {
    if (this.bytes === undefined) return Buffer.alloc(0);
    const taken = this.pos === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.pos);
    this.bytes = undefined;
    this.pos = 0;
    return taken;
  }

  /** Forgets everything written after `length` bytes. */
  truncate(length: number): void {
    this.pos = length;
  }

  raw(bytes: Uint8Array): void {
    const target = this.room(bytes.length);
    target.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  varint(value: number): void {
    const bytes = this.room(10);
    if (value >= 0 && value < 0x80) {
      bytes[this.pos++] = value;
      return;
    }
    let low = value >>> 0;
    let high = Math.floor(value / TWO_TO_32) >>> 0;
    while (high !== 0 || low > 0x7f) {
      bytes[this.pos++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.pos++] = low;
  }

  double(value: number): void {
    this.pos = this.room(8).writeDoubleLE(value, this.pos);
  }

  /** A length-delimited text, UTF-8. A `Uint8Array` is written as the raw bytes of the text. */
  text(value: string | Uint8Array): void {
    if (typeof value !== 'string') {
      this.varint(value.length);
      this.raw(value);
      return;
    }
    if (value.length < SHORT_TEXT) {
      const bytes = this.room(value.length + 1);
      const start = this.pos + 1;
      let i = 0;
      for (; i < value.length; i++) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[start + i] = code;
      }
      if (i === value.length) {
        bytes[this.pos] = value.length;
        this.pos = start + value.length;
        return;
      }
    }
    const length = Buffer.byteLength(value);
    this.varint(length);
    const bytes = this.room(length);
    bytes.write(value, this.pos, length, 'utf8');
    this.pos += length;
  }

  /** Opens a length-delimited part. Returns the mark that {@link close} needs. */
  open(): number {
    this.room(1);
    return this.pos++;
  }

  /** Writes the length in front of what was written since `mark`, moving it up if one byte is not enough. */
  close(mark: number): void {
    const length = this.pos - mark - 1;
    if (length < 0x80) {
      this.room(0)[mark] = length;
      return;
    }
    let extra = 0;
    for (let rest = length >>> 7; rest > 0; rest >>>= 7) extra++;
    const bytes = this.room(extra);
    bytes.copyWithin(mark + 1 + extra, mark + 1, this.pos);
    const end = this.pos + extra;
    this.pos = mark;
    this.varint(length);
    this.pos = end;
  }

  /** Opens a frame: four bytes for its length. Returns the mark that {@link closeFrame} needs. */
  openFrame(): number {
    this.room(4);
    this.pos += 4;
    return this.pos - 4;
  }

  closeFrame(mark: number): void {
    this.room(0).writeUInt32LE(this.pos - mark - 4, mark);
  }

  private room(wanted: number): Buffer {
    let bytes = this.bytes;
    if (bytes === undefined) {
      bytes = Buffer.allocUnsafe(Math.max(INITIAL_BYTES, wanted));
      this.bytes = bytes;
    } else if (this.pos + wanted > bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(bytes.length * 2, this.pos + wanted));
      bytes.copy(grown, 0, 0, this.pos);
      bytes = grown;
      this.bytes = bytes;
    }
    return bytes;
  }
}
