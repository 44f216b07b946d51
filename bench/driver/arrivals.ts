import type { Tally } from './tally.js';

/** What carries one event at a time. */
export interface Lane {
  /** @param dueAt when the event was to begin, on the clock of `performance.now()`: its latency counts from there */
  begin(dueAt: number): void;
}

/** Where a server does not keep up with the rate no more than so many events wait; the others are given up. */
const MOST_WAITING = 1000;

/**
 * Decides when events begin.
 *
 * Without a rate each lane begins the next event when it has ended one: the server is never idle, and several events
 * share one of its wake-ups. With a rate events arrive as requests of clients that know nothing of each other do, at
 * gaps that are distributed exponentially, and take a free lane or wait for one: that is how Kong works below
 * saturation. To keep to gaps of some microseconds the driver looks at the clock in every turn of its event loop and
 * never sleeps, so it takes one CPU whole.
 */
export class Arrivals {
  readonly #tally: Tally;
  readonly #meanGap: number | undefined;
  readonly #idle: Lane[] = [];
  readonly #waiting: number[] = [];
  #nextAt = 0;
  #running = 0;
  #stopped: (() => void) | undefined;

  /** @param rate events per second */
  constructor(tally: Tally, rate: number | undefined) {
    this.#tally = tally;
    this.#meanGap = rate === undefined ? undefined : 1000 / rate;
  }

  start(lanes: readonly Lane[]): void {
    if (this.#meanGap === undefined) {
      for (const lane of lanes) this.#begin(lane, performance.now());
      return;
    }
    this.#idle.push(...lanes);
    this.#nextAt = performance.now();
    this.#look(this.#meanGap);
  }

  /** To be called by a lane that has ended its event. */
  ended(lane: Lane): void {
    this.#running--;
    if (this.#stopped !== undefined) {
      if (this.#running === 0) this.#stopped();
      return;
    }
    if (this.#meanGap === undefined) {
      this.#begin(lane, performance.now());
      return;
    }
    const dueAt = this.#waiting.shift();
    if (dueAt === undefined) this.#idle.push(lane);
    else this.#begin(lane, dueAt);
  }

  /** Begins nothing more, and resolves when the events under way have ended. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      if (this.#running === 0) resolve();
    });
  }

  #begin(lane: Lane, dueAt: number): void {
    this.#running++;
    lane.begin(dueAt);
  }

  #look(meanGap: number): void {
    const now = performance.now();
    for (; this.#nextAt <= now; this.#nextAt -= Math.log(1 - Math.random()) * meanGap) {
      const lane = this.#idle.pop();
      if (lane !== undefined) {
        this.#tally.began(now - this.#nextAt);
        this.#begin(lane, this.#nextAt);
      } else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(this.#nextAt);
    }
    if (this.#stopped === undefined) setImmediate(() => this.#look(meanGap));
  }
}
