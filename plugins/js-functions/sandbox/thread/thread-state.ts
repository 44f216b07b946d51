import { readlinkSync } from 'node:fs';
import { STATE } from '../messages.js';

/** The thread's side of what the watchdog sees of it: see {@link STATE}. */
export class ThreadState {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#words[STATE.threadId] = ownThreadId();
  }

  /** Guest code of an instance begins to run. */
  enter(instance: number, leftMs: number, memory: number): void {
    const words = this.#words;
    words[STATE.instance] = instance;
    words[STATE.memory] = memory;
    words[STATE.left] = leftMs;
    words[STATE.turn] = ((words[STATE.turn] as number) + 1) | 1;
  }

  /** The clock was looked at: it may go on for so long. */
  goesOn(leftMs: number): void {
    const words = this.#words;
    words[STATE.left] = leftMs;
    words[STATE.turn] = ((words[STATE.turn] as number) + 1) | 1;
  }

  /** It has come to its end. */
  leave(): void {
    const words = this.#words;
    words[STATE.turn] = ((words[STATE.turn] as number) + 1) & ~1;
  }
}

/** The operating system's number of this thread; 0 where it cannot be told. */
function ownThreadId(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').pop());
  } catch {
    // Not Linux: the watchdog goes by the clock.
    return 0;
  }
}
