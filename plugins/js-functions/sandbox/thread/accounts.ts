import { threadProcessorMs } from './processor-time.js';
import { LONG_SLICE_MS, type Run } from './run.js';
import type { ThreadState } from './thread-state.js';

/** Whose the processor time is that guest code of one instance takes, and what of it is left. */
export class Accounts {
  readonly #limitMs: number;
  readonly #state: ThreadState;
  /** When the clock was last looked at. */
  #clock = performance.now();
  /** The processor's time at that moment; kept only while there are suspects among the runs. */
  #processor = 0;
  #suspects = 0;
  /** Time that belongs to no run since there was last nothing left to do: continuations that lost theirs. */
  #strayMs = 0;

  /** @param state what the watchdog sees of this thread */
  constructor(limitMs: number, state: ThreadState) {
    this.#limitMs = limitMs;
    this.#state = state;
  }

  /** Guest code is about to run. */
  enter(instance: number, memory: number): void {
    this.#clock = performance.now();
    if (this.#suspects > 0) this.#processor = threadProcessorMs();
    this.#state.enter(instance, this.#limitMs - this.#strayMs, memory);
  }

  /** Guest code has come to its end. */
  leave(): void {
    this.#state.leave();
  }

  /** By the clock, since it was last looked at. */
  get sinceLookMs(): number {
    return performance.now() - this.#clock;
  }

  /** Puts the time since the last look to the account of a run. @returns whether it is over its limit */
  charge(run: Run): boolean {
    const { clockMs, processorMs } = this.#look();
    const wasSuspect = run.suspect;
    run.charge(clockMs, wasSuspect ? processorMs : undefined, this.#limitMs);
    if (run.suspect && !wasSuspect && ++this.#suspects === 1) this.#processor = threadProcessorMs();
    if (run.processorMs > this.#limitMs) return true;
    this.#state.goesOn(this.#limitMs - run.processorMs);
    return false;
  }

  /** The time since the last look belongs to no run. */
  chargeNobody(): void {
    const { clockMs, processorMs } = this.#look();
    this.#strayMs += processorMs ?? Math.min(clockMs, LONG_SLICE_MS);
    if (!this.strayIsOver) this.#state.goesOn(this.#limitMs - this.#strayMs);
  }

  /** The time since the last look belongs to a run that has ended in it. */
  pass(): void {
    this.#look();
  }

  /** Whether what belongs to no run has gone on for too long. */
  get strayIsOver(): boolean {
    return this.#strayMs > this.#limitMs;
  }

  /** Nothing is left to do that could belong to no run. */
  settled(): void {
    this.#strayMs = 0;
  }

  /** A run has ended. */
  close(run: Run): void {
    if (run.suspect) this.#suspects--;
  }

  #look(): { clockMs: number; processorMs: number | undefined } {
    const { sinceLookMs: clockMs } = this;
    this.#clock += clockMs;
    if (this.#suspects === 0) return { clockMs, processorMs: undefined };
    const before = this.#processor;
    this.#processor = threadProcessorMs();
    return { clockMs, processorMs: this.#processor - before };
  }
}
