/**
 * Bytes to be written as a MessagePack string as they are. Header values, query arguments and paths need not
 * be UTF-8, and a JavaScript string would be encoded as UTF-8.
 */
export class RawString {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The bytes behind a string that `decode` read as latin1: one byte per character, 0 to 255. */
  static fromLatin1(text: string): RawString {
    return new RawString(Buffer.from(text, 'latin1'));
  }
}
