import type { EngineCode } from './engine.js';
import type { LimitKind, Limits } from './limits.js';
import type { GuestTemplate } from './thread/template.js';

/** One function of a program, compiled: see ../compile/compile.ts. */
export interface ProgramUnit {
  /** Its name in stack traces: `access[0]`. */
  readonly name: string;
  /** The phase it runs in, an index from 0. */
  readonly phase: number;
  /** An expression: `(suspend, resume, token, restore, thrown) => async function`. */
  readonly code: string;
  readonly mayReturnFunction: boolean;
}

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

/** What the thread that talks to Kong sends to a thread of functions. Runs have numbers of their own per process. */
export type ToThread =
  | readonly ['open', instance: number, program: readonly ProgramUnit[], limits: Limits]
  | readonly ['run', instance: number, run: number, phase: number]
  /** `value`: JSON text or bytes; for `ok` false the error's message. */
  | readonly ['answer', run: number, call: number, ok: boolean, value: string | Uint8Array | undefined]
  /** The run is over, whatever it is doing. */
  | readonly ['end', run: number]
  | readonly ['close', instance: number];

/** What a thread of functions sends back. */
export type FromThread =
  | readonly ['ready', template: GuestTemplate]
  /** `method`: index in the PDK's surface; `call`: 0 when no answer is wanted. */
  | readonly ['call', run: number, method: number, call: number, args: unknown[]]
  | readonly ['end', run: number, end: RunEnd];

/** What a thread is started with. */
export interface ThreadData {
  readonly code: EngineCode;
  /** The PDK's methods that functions get: path and kind. */
  readonly surface: readonly { readonly path: readonly string[]; readonly kind: string }[];
  /** Made by an earlier thread. */
  readonly template: GuestTemplate | undefined;
  readonly state: SharedArrayBuffer;
  /** Whether it is for an instance that had its thread ended. */
  readonly solitary: boolean;
}

/**
 * What the watchdog sees of a thread: 32-bit numbers in memory that both have.
 *
 * `turn` changes whenever the thread has looked at the clock and found that the code in progress may go on; it is odd
 * while guest code runs. `left` is how many milliseconds of processor time that code has left, `instance` whose it is.
 */
export const STATE = { turn: 0, instance: 1, left: 2, threadId: 3, memory: 4, size: 5 } as const;
