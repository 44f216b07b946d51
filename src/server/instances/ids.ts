const TICK_MS = 100;
const TICK_BITS = 22;
const SEQUENCE_BITS = 9;
const IDS_PER_TICK = 1 << SEQUENCE_BITS;
const TICKS = 2 ** TICK_BITS;

/**
 * Gives out instance ids that do not come back after a restart.
 *
 * Kong's workers go on using the ids of a server that is gone; an id that meant another configuration by then would
 * run it. An id is therefore the time it was given out, in ticks of 100 ms, and a sequence number within the tick: a
 * later process has later ticks. The 31 bits that Kong leaves hold 4.8 days before the ticks come round, 512 ids each.
 */
export class InstanceIds {
  private readonly now: () => number;
  private tick = -1;
  private sequence = IDS_PER_TICK;

  /** @param now the clock, in Unix milliseconds */
  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /**
   * The next id, 1 to 2^31 - 1; or `undefined` when this tick's ids are used up and the caller has to wait for the
   * next one.
   */
  next(): number | undefined {
    if (this.sequence >= IDS_PER_TICK) {
      const tick = Math.floor(this.now() / TICK_MS);
      // A clock that was set back must not make ids come back: the ticks that were used count on.
      if (tick <= this.tick && this.tick - tick < TICKS) return undefined;
      this.tick = tick;
      this.sequence = 0;
    }
    const id = (this.tick % TICKS) * IDS_PER_TICK + this.sequence++;
    return id === 0 ? this.next() : id;
  }

  /** The next id that is not in use: an instance may be older than the ticks are apart. Waits for ids when it must. */
  async free(inUse: (id: number) => boolean): Promise<number> {
    for (;;) {
      const id = this.next();
      if (id === undefined) await new Promise((resolve) => setTimeout(resolve, TICK_MS / 4));
      else if (!inUse(id)) return id;
    }
  }
}
