import { Worker } from 'node:worker_threads';
import { HandlerExit, reports } from 'kong-ts-pluginserver';
import { compileEngine, type EngineCode } from './engine.js';
import type { LimitKind, Limits } from './limits.js';
import {
  type FromThread,
  type ProgramUnit,
  type RunEnd,
  STATE,
  type ThreadData,
  type ToThread,
} from './messages.js';
import { PDK_SURFACE } from './pdk-surface.js';
import { callPdkMethod, type PdkTarget } from './pdk-target.js';
import type { GuestTemplate } from './thread/template.js';
import { threadEntry } from './thread-entry.js';
import { Watchdog } from './watchdog.js';

/** What Node itself may use for a thread, beside the engines' memories. */
const RESOURCES = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };

/** How long runs wait for a thread that starts, milliseconds. */
const START_MS = 30_000;

const SURFACE = PDK_SURFACE.map(({ path, kind }) => ({ path, kind }));

/** The same for all threads of the process: machine code, and the engine with the guest's own code in it. */
const common: { entry?: URL; code?: EngineCode; template?: GuestTemplate } = {};

/** A run in progress, as the thread that talks to Kong knows it. */
interface PendingRun {
  readonly instance: ThreadInstance;
  readonly kong: PdkTarget;
  readonly resolve: (end: RunEnd) => void;
  /** For its wall time, which begins when the thread is there. */
  timer: NodeJS.Timeout | undefined;
}

/** An instance whose functions run in a thread. */
export interface ThreadInstance {
  /** Unique in this process. */
  readonly id: number;
  readonly program: readonly ProgramUnit[];
  readonly limits: Limits;
  /** Its thread is gone, and it was ended for what this instance did in it; `limit` says what. */
  threadEnded(limit: LimitKind): void;
}

let lastRun = 0;

/** One worker thread with the functions of some instances. */
export class FunctionThread {
  readonly #worker: Worker;
  readonly #state: Int32Array;
  readonly #watchdog: Watchdog;
  readonly #instances = new Map<number, ThreadInstance>();
  readonly #runs = new Map<number, PendingRun>();
  readonly #onEnd: (thread: FunctionThread) => void;
  #out: ToThread[] = [];
  #ready = false;
  #ending = false;
  #ended = false;
  /** Whose doing it is when the thread ends, and what. */
  #verdict: { readonly instance: number; readonly limit: LimitKind } | undefined;

  /**
   * @param solitary whether it is for an instance that had its thread ended
   * @param onEnd called once, when the thread is gone and its runs are answered
   */
  constructor(solitary: boolean, onEnd: (thread: FunctionThread) => void) {
    this.#onEnd = onEnd;
    common.entry ??= threadEntry();
    common.code ??= compileEngine();
    const state = new SharedArrayBuffer(STATE.size * 4);
    this.#state = new Int32Array(state);
    this.#watchdog = new Watchdog(this.#state);
    const { code, template } = common;
    this.#worker = new Worker(common.entry, {
      // Flags of this process, a loader for instance, are not for it.
      execArgv: [],
      workerData: { code, surface: SURFACE, template, state, solitary } satisfies ThreadData,
      resourceLimits: RESOURCES,
      name: 'functions',
    });
    this.#worker.on('message', (messages: readonly FromThread[]) => {
      for (const message of messages) this.#take(message);
    });
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      const limit = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'engine';
      this.#verdict ??= this.#offender(limit);
      // Running out of memory is a function's doing and counted; anything else is a fault of ours.
      if (limit === 'engine') {
        reports('js-functions').inBackground('err', 'thread', `a thread of functions failed: ${error.stack}`);
      }
    });
    this.#worker.on('exit', () => this.#gone());
    // Listening keeps the process alive, too; runs in progress do that by their timers.
    this.#worker.unref();
  }

  /** Instances that have their functions here. */
  get size(): number {
    return this.#instances.size;
  }

  get idle(): boolean {
    return this.#runs.size === 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Memory of the isolate that ran last, bytes. */
  get memoryOfLast(): number {
    return this.#state[STATE.memory] as number;
  }

  /** Runs the functions of a phase for one request; resolves when they have ended, never rejects. */
  run(instance: ThreadInstance, phase: number, kong: PdkTarget): Promise<RunEnd> {
    if (!this.#instances.has(instance.id)) {
      this.#instances.set(instance.id, instance);
      this.#post(['open', instance.id, instance.program, instance.limits]);
    }
    return new Promise((resolve) => {
      lastRun = (lastRun % 0x3fff_ffff) + 1;
      const run = lastRun;
      const pending: PendingRun = { instance, kong, resolve, timer: undefined };
      this.#runs.set(run, pending);
      // A thread that does not start in this time does not start.
      pending.timer = this.#ready
        ? this.#timeOut(run, instance.limits.wallMs, 'wall')
        : this.#timeOut(run, START_MS, 'engine');
      this.#post(['run', instance.id, run, phase]);
    });
  }

  /** Lets an instance go whose runs have ended. */
  close(instance: ThreadInstance): void {
    if (this.#instances.delete(instance.id)) this.#post(['close', instance.id]);
  }

  /** Ends the thread and every run in it. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    void this.#worker.terminate();
  }

  /** Ends the thread when the code in progress is over its limit and was not stopped by the engine. */
  watch(now: number): void {
    if (!this.#watchdog.isOver(now, (id) => this.#instances.get(id)?.limits.wallMs ?? 0)) return;
    this.#verdict ??= this.#offender('cpu');
    this.end();
  }

  #post(message: ToThread): void {
    if (this.#out.push(message) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const messages = this.#out;
    this.#out = [];
    if (!this.#ended) this.#worker.postMessage(messages);
  }

  #timeOut(run: number, ms: number, limit: LimitKind): NodeJS.Timeout {
    return setTimeout(() => this.#stop(run, { kind: 'limit', limit }), ms);
  }

  #take(message: FromThread): void {
    switch (message[0]) {
      case 'ready':
        common.template ??= message[1];
        this.#ready = true;
        for (const [run, pending] of this.#runs) {
          clearTimeout(pending.timer);
          pending.timer = this.#timeOut(run, pending.instance.limits.wallMs, 'wall');
        }
        return;
      case 'end':
        this.#finish(message[1], message[2]);
        return;
      case 'call':
        this.#call(message[1], message[2], message[3], message[4]);
    }
  }

  #finish(run: number, end: RunEnd): void {
    const pending = this.#runs.get(run);
    if (pending === undefined) return;
    this.#runs.delete(run);
    clearTimeout(pending.timer);
    pending.resolve(end);
  }

  /** Ends a run that the thread does not know to be over. */
  #stop(run: number, end: RunEnd): void {
    this.#finish(run, end);
    this.#post(['end', run]);
  }

  #call(run: number, method: number, call: number, args: unknown[]): void {
    const pending = this.#runs.get(run);
    const target = PDK_SURFACE[method];
    if (pending === undefined || target === undefined) return;
    callPdkMethod(pending.kong, target, args).then(
      (value) => this.#answer(run, call, true, value),
      (error: unknown) => {
        if (error instanceof HandlerExit) this.#stop(run, { kind: 'ended', error });
        else this.#answer(run, call, false, error instanceof Error ? error.message : String(error));
      },
    );
  }

  #answer(run: number, call: number, ok: boolean, value: string | Uint8Array | undefined): void {
    if (call !== 0 && this.#runs.has(run)) this.#post(['answer', run, call, ok, value]);
  }

  #offender(limit: LimitKind): { instance: number; limit: LimitKind } {
    return { instance: this.#watchdog.instance, limit };
  }

  #gone(): void {
    this.#ended = true;
    const verdict = this.#verdict;
    for (const [run, { instance }] of this.#runs) {
      const limit = instance.id === verdict?.instance ? verdict.limit : 'engine';
      this.#finish(run, { kind: 'limit', limit });
    }
    if (verdict !== undefined) this.#instances.get(verdict.instance)?.threadEnded(verdict.limit);
    this.#onEnd(this);
  }
}
