const TICK_MS = 100;
const TICK_BITS = 22;
const SEQUENCE_BITS = 9;
const IDS_PER_TICK = 1 << SEQUENCE_BITS;
const IDS_PER_GENERATION = IDS_PER_TICK / 2;
const TICKS = 2 ** TICK_BITS;

/**
 * Gives out instance ids that do not come back after a restart.
 *
 * Kong's workers go on using the ids of a server that is gone; an id that meant another configuration by then would
 * run it. An id is therefore the time it was given out, in ticks of 100 ms, and a sequence number within the tick: a
 * later process has later ticks. The 31 bits that Kong leaves hold 4.8 days before the ticks come round, 512 ids each.
 *
 * A server and its successor run side by side for a while, so every other generation has the other half of each tick.
 * Workers that have lost their primary give out ids by themselves, each its own share.
 */
export class InstanceIds {
  private readonly now: () => number;
  private readonly base: number;
  private readonly share: number;
  private readonly shares: number;
  private tick: number;
  private sequence = IDS_PER_GENERATION;

  /**
   * @param options.generation of the server, 0 or 1
   * @param options.share which ids are given out here, of `shares` in all; the tick under way is left to whoever gave
   *   out ids before
   * @param options.now the clock, in Unix milliseconds
   */
  constructor(options: { generation?: number; share?: number; shares?: number; now?: () => number } = {}) {
    this.now = options.now ?? Date.now;
    this.base = (options.generation ?? 0) * IDS_PER_GENERATION;
    this.share = options.share ?? 0;
    this.shares = options.shares ?? 1;
    this.tick = options.share === undefined ? -1 : Math.floor(this.now() / TICK_MS);
  }

  /**
   * The next id, 1 to 2^31 - 1; or `undefined` when this tick's ids are used up and the caller has to wait for the
   * next one.
   */
  next(): number | undefined {
    if (this.sequence >= IDS_PER_GENERATION) {
      const tick = Math.floor(this.now() / TICK_MS);
      // A clock that was set back must not make ids come back: the ticks that were used count on.
      if (tick <= this.tick && this.tick - tick < TICKS) return undefined;
      this.tick = tick;
      this.sequence = this.share;
    }
    const id = (this.tick % TICKS) * IDS_PER_TICK + this.base + this.sequence;
    this.sequence += this.shares;
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
