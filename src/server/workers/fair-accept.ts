/** Long enough for a sibling that is waiting for connections to take the next one. */
const YIELD_MS = 0.2;

const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * Keeps one worker from taking all connections of a burst. Kong opens its connections at once and keeps them, and a
 * process that is awake accepts whatever is waiting, so the first to wake would do the work of all from then on.
 *
 * A worker yields for a moment whenever it has more connections than it lately had. Where connections come and go, as
 * they do with rejected requests, their number does not grow, and nothing is waited for.
 */
export class FairAccept {
  private most = 0;

  /** To be called with the number of open connections when one was accepted. */
  accepted(open: number): void {
    if (open <= this.most) return;
    this.most = open;
    Atomics.wait(cell, 0, 0, YIELD_MS);
  }

  /** To be called now and then, so that what was long ago does not count. */
  forget(open: number): void {
    this.most = Math.max(open, Math.floor(this.most * 0.75));
  }
}
