import { readFileSync } from 'node:fs';
import { STATE } from './messages.js';

/** How often threads are watched, milliseconds. */
export const WATCH_MS = 5;
/** How long the engine has to stop what is over its limit, before its thread is ended, milliseconds. */
const GRACE_MS = 50;

/** Looks at one thread from outside, without its cooperation: see {@link STATE}. */
export class Watchdog {
  readonly #state: Int32Array;
  #turn = 0;
  #since = 0;
  #processorMs = Number.NaN;

  constructor(state: Int32Array) {
    this.#state = state;
  }

  /**
   * Whether the code in progress is over its limit and was not stopped by the engine. To be called every
   * {@link WATCH_MS} while there are runs.
   *
   * @param wallMs time that a run of an instance may take
   */
  isOver(now: number, wallMs: (instance: number) => number): boolean {
    const turn = this.#state[STATE.turn] as number;
    if (turn !== this.#turn || turn % 2 === 0) {
      this.#turn = turn;
      this.#since = now;
      this.#processorMs = Number.NaN;
      return false;
    }
    const allowed = Math.max(this.#state[STATE.left] as number, 0) + GRACE_MS;
    // The clock runs on while the system has the processor elsewhere: near the limit the thread's own account counts.
    if (Number.isNaN(this.#processorMs)) this.#processorMs = this.#threadProcessorMs();
    if (now - this.#since < allowed) return false;
    const used = this.#threadProcessorMs() - this.#processorMs;
    return used >= allowed - 2 * WATCH_MS || now - this.#since >= wallMs(this.instance) + GRACE_MS;
  }

  /** The instance whose code is in progress, or was last. */
  get instance(): number {
    return this.#state[STATE.instance] as number;
  }

  /** By the clock where the system does not tell. */
  #threadProcessorMs(): number {
    const id = this.#state[STATE.threadId];
    if (id === 0) return performance.now();
    try {
      return Number(readFileSync(`/proc/self/task/${id}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
    } catch {
      // No such account here.
      return performance.now();
    }
  }
}
