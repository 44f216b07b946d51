import type { EngineCode } from '../engine.js';
import type { RunEnd } from '../messages.js';
import type { GuestTemplate } from './template.js';
import type { ThreadState } from './thread-state.js';

/** What an isolate needs to know of its thread. */
export interface IsolateHost {
  readonly code: EngineCode;
  readonly template: GuestTemplate;
  readonly state: ThreadState;
  /** Kinds of the PDK's methods, by their index. */
  readonly surface: readonly { readonly path: readonly string[]; readonly kind: string }[];
  /** A run makes a PDK call. */
  call(run: number, method: number, call: number, args: unknown[]): void;
  /** A run has ended. */
  ended(run: number, end: RunEnd): void;
}
