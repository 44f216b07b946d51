import { ProtocolError } from '../errors.js';

/** Largest frame accepted unless told otherwise. Kong sets no limit of its own; a request body is the largest part. */
export const DEFAULT_MAX_FRAME_BYTES = 16 * 1024 * 1024;

const HEADER_BYTES = 4;

/** A frame without a payload: the end of an event's PDK calls, and the answer to a call without a result. */
export const EMPTY_FRAME = Buffer.alloc(HEADER_BYTES);

/** Puts the 4-byte little-endian length in front of a payload. */
export function encodeFrame(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/**
 * Cuts a byte stream into frames, however the stream was split on its way.
 *
 * A frame that lies whole in one chunk is handed out in place; one that is spread over chunks is gathered in a buffer
 * that doubles as bytes arrive, so the work is linear and no memory is held for bytes that were only announced.
 */
export class FrameReader {
  private readonly onFrame: (payload: Buffer) => void;
  private readonly maxFrameBytes: number;
  /** The length of the frame that is being read; -1 while that is still to come. */
  private length = -1;
  private held: Buffer | undefined;
  private heldBytes = 0;

  /**
   * @param onFrame is given each payload; it may keep it only until it returns, or copy it
   * @param maxFrameBytes largest payload accepted
   */
  constructor(onFrame: (payload: Buffer) => void, maxFrameBytes = DEFAULT_MAX_FRAME_BYTES) {
    this.onFrame = onFrame;
    this.maxFrameBytes = maxFrameBytes;
  }

  /** True between frames: nothing of a next one has arrived. */
  get idle(): boolean {
    return this.heldBytes === 0 && this.length < 0;
  }

  /**
   * Takes the next bytes of the stream and calls `onFrame` for each frame that they complete.
   *
   * @throws ProtocolError `FRAME_TOO_LARGE` as soon as a length above the limit is seen
   */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.heldBytes > 0) {
      const held = this.hold(chunk);
      if (this.heldBytes < this.wanted) return;
      bytes = held.subarray(0, this.heldBytes);
      this.held = undefined;
      this.heldBytes = 0;
    }
    let pos = 0;
    for (;;) {
      if (this.length < 0) {
        if (bytes.length - pos < HEADER_BYTES) break;
        this.length = this.accepted(bytes.readUInt32LE(pos));
        pos += HEADER_BYTES;
      }
      const end = pos + this.length;
      if (end > bytes.length) break;
      this.length = -1;
      // Kong writes a length and what it announces apart, so that this is mostly all that came.
      this.onFrame(pos === 0 && end === bytes.length ? bytes : bytes.subarray(pos, end));
      pos = end;
    }
    if (pos < bytes.length) this.hold(pos === 0 ? bytes : bytes.subarray(pos));
  }

  /** Bytes to hold before anything can be decided: a length, or what it announces. */
  private get wanted(): number {
    return this.length < 0 ? HEADER_BYTES : this.length;
  }

  private accepted(length: number): number {
    if (length <= this.maxFrameBytes) return length;
    throw new ProtocolError(
      'FRAME_TOO_LARGE',
      `a frame of ${length} bytes was announced; the limit is ${this.maxFrameBytes}`,
    );
  }

  private hold(chunk: Buffer): Buffer {
    const total = this.heldBytes + chunk.length;
    let held = this.held;
    if (held === undefined || total > held.length) {
      const grown = Buffer.allocUnsafe(Math.max(total, Math.min(2 * total, this.wanted)));
      if (held !== undefined) held.copy(grown, 0, 0, this.heldBytes);
      held = grown;
      this.held = held;
    }
    held.set(chunk, this.heldBytes);
    this.heldBytes = total;
    return held;
  }
}
