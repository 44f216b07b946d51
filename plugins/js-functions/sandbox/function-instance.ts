import { countThreadEnd } from '../metrics.js';
import type { FunctionThread, ThreadInstance } from './function-thread.js';
import type { LimitKind, Limits } from './limits.js';
import type { ProgramUnit, RunEnd } from './messages.js';
import type { PdkTarget } from './pdk-target.js';
import { functionThreads } from './threads.js';

/** So many ends of a thread within {@link WINDOW_MS} suspend an instance. */
const MOST_ENDS = 3;
const WINDOW_MS = 60_000;
/** The first suspension, and the longest; each is twice the one before. */
const SUSPENDED_MS = 10_000;
const LONGEST_MS = 300_000;

let lastId = 0;

/**
 * The functions of one plugin instance, wherever they run: in a shared thread at first, and in one of their own once
 * they had one ended. What ends threads again and again is answered at once, and not run, for a while.
 */
export class FunctionInstance implements ThreadInstance {
  readonly id = ++lastId;
  readonly program: readonly ProgramUnit[];
  readonly limits: Limits;
  readonly #plugin: string;
  readonly #threads: number;
  readonly #onSuspend: (ms: number) => void;
  #thread: FunctionThread | undefined;
  #inProgress = 0;
  #closed = false;
  #solitary = false;
  /** When its threads were ended, lately. */
  #ends: number[] = [];
  #suspendedUntil = 0;
  #nextSuspension = SUSPENDED_MS;

  /**
   * @param plugin the plugin's name, for metrics
   * @param threads how many threads instances may share
   * @param onSuspend told how long it is not run
   */
  constructor(
    plugin: string,
    program: readonly ProgramUnit[],
    limits: Limits,
    threads: number,
    onSuspend: (ms: number) => void,
  ) {
    this.#plugin = plugin;
    this.program = program;
    this.limits = limits;
    this.#threads = threads;
    this.#onSuspend = onSuspend;
    functionThreads.prepare();
  }

  /** Runs the functions of a phase for one request; never rejects. */
  async run(phase: number, kong: PdkTarget): Promise<RunEnd> {
    if (performance.now() < this.#suspendedUntil) return { kind: 'limit', limit: 'suspended' };
    if (this.#thread?.ended ?? true) this.#thread = functionThreads.assign(this.#solitary, this.#threads);
    const thread = this.#thread;
    if (thread === undefined) return { kind: 'limit', limit: 'suspended' };
    this.#inProgress++;
    const end = thread.run(this, phase, kong);
    functionThreads.watch();
    try {
      return await end;
    } finally {
      this.#inProgress--;
      this.#closeIfIdle();
    }
  }

  /** Gives up the isolate once the runs in progress have ended. */
  close(): void {
    this.#closed = true;
    this.#closeIfIdle();
  }

  /** For measurements: memory that the isolate had taken when it last ran, bytes. */
  get memoryUsed(): number {
    return this.#thread?.memoryOfLast ?? 0;
  }

  threadEnded(limit: LimitKind): void {
    countThreadEnd(this.#plugin, limit);
    this.#solitary = true;
    const now = performance.now();
    this.#ends = [...this.#ends.filter((at) => now - at < WINDOW_MS), now];
    if (this.#ends.length < MOST_ENDS) return;
    this.#ends = [];
    // A long time without any begins anew.
    if (now - this.#suspendedUntil > LONGEST_MS) this.#nextSuspension = SUSPENDED_MS;
    this.#suspendedUntil = now + this.#nextSuspension;
    this.#onSuspend(this.#nextSuspension);
    this.#nextSuspension = Math.min(this.#nextSuspension * 2, LONGEST_MS);
  }

  #closeIfIdle(): void {
    if (!this.#closed || this.#inProgress > 0) return;
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.close(this);
    if (this.#solitary) thread?.end();
  }
}
