import type { RecordedBody } from './record.js';

const NOTHING = Buffer.alloc(0);

/** Collects the beginning of a body while it passes. */
export class BodyCapture implements RecordedBody {
  bytes = 0;
  complete = true;
  #chunks: Buffer[] = [];
  #kept = 0;
  #content: Buffer | undefined = NOTHING;

  /** @param limit how many bytes are kept */
  constructor(private readonly limit: number) {}

  /** A body of which only the announced length is known. */
  static announced(limit: number, bytes: number): BodyCapture {
    const body = new BodyCapture(limit);
    body.bytes = bytes;
    body.complete = bytes === 0;
    return body;
  }

  get content(): Buffer {
    this.#content ??= Buffer.concat(this.#chunks);
    return this.#content;
  }

  /** The first piece replaces what was announced. */
  push(chunk: Buffer): void {
    if (this.#kept === 0 && this.#chunks.length === 0) {
      this.bytes = 0;
      this.complete = true;
    }
    this.bytes += chunk.length;
    const room = this.limit - this.#kept;
    if (chunk.length > room) this.complete = false;
    // A copy: what passes through a socket may be a view of a larger buffer, which would be kept with it.
    const part = Buffer.from(chunk.subarray(0, room));
    this.#kept += part.length;
    this.#chunks.push(part);
    this.#content = undefined;
  }
}
