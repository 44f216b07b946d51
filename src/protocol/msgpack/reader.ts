import { BoundaryScanner } from './boundary.js';
import { decode } from './decode.js';
import { DEFAULT_LIMITS, type MessageLimits } from './limits.js';

/** Below this many bytes a piece is copied together with its neighbours: a Buffer object costs more. */
const SMALL_PIECE = 512;
const BLOCK = 8 * 1024;

/**
 * Cuts a stream of MessagePack values, which carry no framing, into messages.
 *
 * Chunks may be split or merged at any byte. A message inside one chunk is decoded where it lies; the parts
 * of a longer one are kept as they came and joined once, so the work is linear in the bytes received. Binary
 * values of a decoded message are views of the received memory.
 */
export class MessageReader {
  readonly #onMessage: (message: unknown) => void;
  readonly #scanner: BoundaryScanner;
  readonly #maxDepth: number;
  #pieces: Buffer[] = [];
  /** The block that small pieces are collected in, as far as it is filled. */
  #block: Buffer | undefined;
  #blockUsed = 0;
  #failure: unknown;

  /**
   * @param onMessage called with each decoded message, in order, from within `push`
   * @param limits defaults: 16 MiB, 128 levels, 1,048,576 values
   */
  constructor(onMessage: (message: unknown) => void, limits: Partial<MessageLimits> = {}) {
    const all = { ...DEFAULT_LIMITS, ...limits };
    this.#onMessage = onMessage;
    this.#scanner = new BoundaryScanner(all);
    this.#maxDepth = all.maxDepth;
  }

  /**
   * Takes the next bytes of the stream, which must not be changed afterwards. Messages in front of a fault
   * are still delivered.
   *
   * @throws {ProtocolError} FRAME_TOO_LARGE, NESTING_TOO_DEEP or MALFORMED_MESSAGE; the stream is then lost,
   *   and every later call throws the same error
   */
  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      const end = this.#findEnd(chunk, start);
      if (end < 0) {
        this.#keep(start === 0 ? chunk : chunk.subarray(start));
        return;
      }
      const part = start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
      start = end;
      this.#onMessage(this.#decode(part));
    }
  }

  /** True while a message has begun and not ended: a stream that closes now was cut off. */
  get midMessage(): boolean {
    return this.#pieces.length > 0 || this.#block !== undefined;
  }

  #findEnd(chunk: Buffer, start: number): number {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#scanner.scan(chunk, start);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #decode(part: Buffer): unknown {
    try {
      if (!this.midMessage) return decode(part, 0, this.#maxDepth);
      this.#keep(part);
      this.#closeBlock();
      const pieces = this.#pieces;
      this.#pieces = [];
      return decode(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces), 0, this.#maxDepth);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #keep(piece: Buffer): void {
    if (piece.length >= SMALL_PIECE) {
      this.#closeBlock();
      this.#pieces.push(piece);
      return;
    }
    if (this.#block === undefined || this.#blockUsed + piece.length > this.#block.length) {
      this.#closeBlock();
      // Most cut messages are short; only a long one in small pieces gets full blocks.
      this.#block = Buffer.allocUnsafe(this.#pieces.length === 0 ? 2 * SMALL_PIECE : BLOCK);
      this.#blockUsed = 0;
    }
    piece.copy(this.#block, this.#blockUsed);
    this.#blockUsed += piece.length;
  }

  #closeBlock(): void {
    if (this.#block === undefined) return;
    this.#pieces.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = undefined;
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#pieces = [];
    this.#block = undefined;
  }
}
