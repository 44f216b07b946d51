import type { LimitKind } from './limits.js';
import { readArguments } from './marshal.js';
import type { PdkTarget } from './pdk-target.js';

/** An error that a function threw, as text: nothing of the guest's own objects leaves the isolate. */
export interface GuestError {
  /** `TypeError`; empty when something other than an Error was thrown. */
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Where the compiled code threw it, 1-based, when it has no stack. */
  readonly thrownAt?: { readonly line: number; readonly column: number };
}

/** How a run ended. `index` is the function's place in its phase. */
export type RunEnd =
  | { readonly kind: 'done' }
  /** `kong.response.exit` or `.error` was called: the caller makes the call on the real `kong`. */
  | { readonly kind: 'exit'; readonly method: 'exit' | 'error'; readonly args: readonly unknown[] }
  | { readonly kind: 'failed'; readonly index: number; readonly error: GuestError }
  | {
      readonly kind: 'limit';
      readonly limit: LimitKind;
      readonly error?: GuestError;
      readonly index?: number;
    }
  /** A PDK call said that the event is over; `error` is what it threw. */
  | { readonly kind: 'ended'; readonly error: unknown };

/**
 * Between two looks at the clock little happens, so more than this is a single long operation, or time in which the
 * system had the processor elsewhere, milliseconds.
 */
export const LONG_SLICE_MS = 2;

/** One request in one phase, in progress in an isolate. */
export class Run {
  readonly id: number;
  readonly kong: PdkTarget;
  /** Time spent inside the isolate so far by the clock, milliseconds. */
  clockMs = 0;
  /** The same in processor time: by the clock at first, exact once the run is `suspect`. */
  processorMs = 0;
  /** Whether the run comes near its limit, or may do so: from then on the processor's time is looked at for it. */
  suspect = false;
  pdkCalls = 0;
  outputBytes = 0;
  readonly #resolve: (end: RunEnd) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(
    id: number,
    kong: PdkTarget,
    wallMs: number,
    onLate: () => void,
    resolve: (end: RunEnd) => void,
  ) {
    this.id = id;
    this.kong = kong;
    this.#resolve = resolve;
    this.#timer = setTimeout(onLate, wallMs);
  }

  /**
   * Takes note of time spent in the isolate.
   *
   * The clock runs on while the system has the processor elsewhere, and reading the processor's time costs more than
   * most runs: so the clock is believed in small steps, up to a quarter of the limit.
   *
   * @param clockMs by the clock
   * @param processorMs of the processor; only where the run is `suspect`
   */
  charge(clockMs: number, processorMs: number | undefined, limitMs: number): void {
    this.clockMs += clockMs;
    this.processorMs += processorMs ?? Math.min(clockMs, LONG_SLICE_MS);
    this.suspect ||= clockMs > LONG_SLICE_MS || this.processorMs > limitMs / 4;
  }

  /** Whether the run has used more processor time than `limitMs`, or has been inside for longer than `wallMs`. */
  isOver(limitMs: number, wallMs: number): boolean {
    return this.processorMs > limitMs || this.clockMs > wallMs;
  }

  /** Called once. */
  end(end: RunEnd): void {
    clearTimeout(this.#timer);
    this.#resolve(end);
  }
}

/** What guest code reports about an error: the function's place in its phase, and the error as text. */
export function readReport(report: string): { index: number; error: GuestError } {
  const [index, name, message, stack, line, column] = readArguments(report, []);
  return {
    index: Number(index),
    error: {
      name: String(name),
      message: String(message),
      stack: String(stack),
      ...(typeof line === 'number' && typeof column === 'number' && { thrownAt: { line, column } }),
    },
  };
}
