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

/** A thousand function calls or so: less cannot have cost what any limit allows. */
const LEAST_LOOKS = 16;

/** One request in one phase, in progress in an isolate. */
export class Run {
  readonly id: number;
  readonly kong: PdkTarget;
  /** Time spent inside the isolate so far, milliseconds. */
  spentMs = 0;
  /** How often the clock has been looked at for it. */
  looks = 0;
  pdkCalls = 0;
  outputBytes = 0;
  readonly #resolve: (end: RunEnd) => void;
  readonly #timer: NodeJS.Timeout;
  #processor: { readonly spentMs: number; readonly usage: NodeJS.CpuUsage } | undefined;

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
   * Whether the run has used more processor time than this, milliseconds.
   *
   * Time in the isolate is measured by the clock, which also runs while the system has the processor elsewhere.
   * Before a run is stopped for it, the processor time of the process must agree, and the run must have done more
   * than next to nothing, unless the clock alone has passed `wallMs`.
   */
  isOver(limitMs: number, wallMs: number): boolean {
    if (this.spentMs < limitMs / 4) return false;
    this.#processor ??= { spentMs: this.spentMs, usage: process.cpuUsage() };
    if (this.spentMs <= limitMs) return false;
    if (this.spentMs > wallMs) return true;
    if (this.looks < LEAST_LOOKS) return false;
    const { user, system } = process.cpuUsage(this.#processor.usage);
    return this.#processor.spentMs + (user + system) / 1000 > limitMs;
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
