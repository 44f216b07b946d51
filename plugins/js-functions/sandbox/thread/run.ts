import type { LimitKind, Limits } from '../limits.js';
import type { GuestError } from '../messages.js';
import { readArguments } from './marshal.js';

/**
 * Between two looks at the clock little happens, so more than this is a single long operation, or time in which the
 * system had the processor elsewhere, milliseconds.
 */
export const LONG_SLICE_MS = 2;

/** One request in one phase, in progress in an isolate. */
export class Run {
  readonly id: number;
  /** Time spent inside the isolate so far, milliseconds of the processor: by the clock at first, exact once the run is
   * `suspect`. */
  processorMs = 0;
  /** Whether the run comes near its limit, or may do so: from then on the processor's time is looked at for it. */
  suspect = false;
  #pdkCalls = 0;
  #outputBytes = 0;

  constructor(id: number) {
    this.id = id;
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
    this.processorMs += processorMs ?? Math.min(clockMs, LONG_SLICE_MS);
    this.suspect ||= clockMs > LONG_SLICE_MS || this.processorMs > limitMs / 4;
  }

  /** Takes note of a PDK call with these arguments. @returns the limit that it goes over */
  calls(
    json: string,
    buffers: readonly (readonly [number, Uint8Array])[],
    limits: Limits,
  ): 'pdk_calls' | 'output' | undefined {
    this.#pdkCalls++;
    this.#outputBytes += buffers.reduce((sum, [, bytes]) => sum + bytes.length, json.length);
    if (this.#pdkCalls > limits.pdkCalls) return 'pdk_calls';
    return this.#outputBytes > limits.outputBytes ? 'output' : undefined;
  }
}

/** What the engine's own errors say when a limit was met that guest code could have caught. */
const ENGINE_LIMITS: Readonly<Record<string, LimitKind>> = {
  'out of memory': 'memory',
  'stack overflow': 'stack',
};

/** What guest code reports about an error: the function's place in its phase, the error as text, and the limit it met. */
export function readReport(report: string): {
  index: number;
  error: GuestError;
  limit: LimitKind | undefined;
} {
  const [index, name, message, stack, line, column] = readArguments(report, []);
  return {
    index: Number(index),
    limit: name === 'InternalError' ? ENGINE_LIMITS[String(message)] : undefined,
    error: {
      name: String(name),
      message: String(message),
      stack: String(stack),
      ...(typeof line === 'number' && typeof column === 'number' && { thrownAt: { line, column } }),
    },
  };
}
