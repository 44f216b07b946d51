import { HandlerExit } from 'kong-ts-pluginserver';
import { engine, type Shard, type Tenant } from './engine.js';
import { Guest, type GuestCall, type GuestHost, IsolateError, type ProgramUnit } from './guest.js';
import type { LimitKind, Limits } from './limits.js';
import { type Answer, readArguments, writeAnswers } from './marshal.js';
import { PDK_SURFACE } from './pdk-surface.js';
import { callPdkMethod, type PdkTarget } from './pdk-target.js';
import { threadProcessorMs } from './processor-time.js';
import { type GuestError, LONG_SLICE_MS, Run, type RunEnd, readReport } from './run.js';
import { WARM_UP_KONG, WARM_UP_LIMITS, WARM_UP_PROGRAM } from './warm-up.js';

/** How long an isolate may take to get ready, milliseconds of the clock. */
const SETUP_MS = 10_000;
/** How long jobs may run on end before other work of the process gets its turn, milliseconds. */
const SLICE_MS = 20;

/** What the engine's own errors say when a limit was met that guest code could have caught. */
const ENGINE_LIMITS: Readonly<Record<string, LimitKind>> = {
  'out of memory': 'memory',
  'stack overflow': 'stack',
};

/** After so many runs, what an isolate keeps is added up. */
const MEMORY_CHECK_RUNS = 16;

/**
 * The functions of one plugin instance in a QuickJS runtime of their own, and the runs in progress in it.
 *
 * Runs share the engine's thread, interleaved where they wait. Every entry into guest code goes through
 * {@link Isolate.#enter}, which also keeps the accounts: time goes to the run that guest code says it is working for.
 */
export class Isolate implements Tenant {
  readonly #shard: Shard;
  #ended = 0;
  readonly #limits: Limits;
  readonly #guest: Guest;
  readonly #runs = new Map<number, Run>();
  #lastRun = 0;
  /** Runs that the host ended and that guest code must forget before its next job. */
  #abandoned: number[] = [];
  #answers: (Answer & { run: number })[] = [];
  #state: 'setup' | 'open' | 'retired' | 'closed' = 'setup';
  #inside = false;
  #drainPlanned = false;
  /** Whether guest code of this project alone is running: it is not interrupted. */
  #trusted = false;
  /** When the clock was last looked at. */
  #clock = performance.now();
  /** The processor's time at that moment; kept only while there are suspects among the runs. */
  #processor = 0;
  #suspects = 0;
  /** Time in this entry of work that belongs to no run: continuations that lost theirs. */
  #strayMs = 0;

  /** The first isolate of the process waits for it. */
  static #warm: Promise<void> | undefined;

  /**
   * Makes an isolate and compiles the program in it.
   *
   * @throws IsolateError
   */
  static async open(program: readonly ProgramUnit[], limits: Limits): Promise<Isolate> {
    Isolate.#warm ??= Isolate.#warmUp().catch((error) => {
      Isolate.#warm = undefined;
      throw error;
    });
    await Isolate.#warm;
    return new Isolate(await engine.shardFor(limits.memoryBytes), program, limits);
  }

  /**
   * Runs a program of our own once. The engine's code is compiled when it is first used, which takes longer than a run
   * may: without this, the first request of a process would pay for it and be stopped.
   */
  static async #warmUp(): Promise<void> {
    const isolate = new Isolate(
      await engine.shardFor(WARM_UP_LIMITS.memoryBytes),
      WARM_UP_PROGRAM,
      WARM_UP_LIMITS,
    );
    await isolate.run(0, WARM_UP_KONG);
    isolate.retire();
  }

  private constructor(shard: Shard, program: readonly ProgramUnit[], limits: Limits) {
    this.#shard = shard;
    this.#limits = limits;
    const host: GuestHost = {
      mayGoOn: () => this.#mayGoOn(),
      pdk: (call) => this.#pdk(call),
      done: (run, report) => this.#done(run, report),
    };
    shard.enter(this, limits.memoryBytes);
    try {
      this.#guest = new Guest(shard, program, limits, host);
      this.#state = 'open';
    } catch (error) {
      // What failed half-way may hold what cannot be freed: its memory goes with its shard.
      this.#state = 'closed';
      shard.leave(this);
      if (error instanceof IsolateError) throw error;
      throw new IsolateError('the isolate could not be made', { cause: error });
    }
  }

  /** Whether new runs are taken. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Memory in use inside the isolate, bytes. */
  memoryUsed(): number {
    return this.#state === 'closed' ? 0 : this.#guest.memoryUsed();
  }

  /** Runs the functions of a phase for one request; resolves when they have ended, never rejects. */
  run(phase: number, kong: PdkTarget): Promise<RunEnd> {
    return new Promise((resolve) => {
      const id = ++this.#lastRun;
      const run = new Run(id, kong, this.#limits.wallMs, () => this.#late(id), resolve);
      this.#runs.set(id, run);
      this.#enter(() => this.#guest.start(id, phase));
    });
  }

  /** Takes no new runs; ends when those in progress have. */
  retire(): void {
    if (this.#state === 'open') this.#state = 'retired';
    this.#closeIfIdle();
  }

  engineLost(): void {
    this.#state = 'closed';
    this.#endAll('engine');
  }

  // Entering guest code

  /** Runs `work`, which enters guest code, and then the jobs that it left. */
  #enter(work: () => void): void {
    if (this.#state === 'closed') {
      this.#endAll('engine');
      return;
    }
    this.#inside = true;
    this.#strayMs = 0;
    this.#clock = performance.now();
    if (this.#suspects > 0) this.#processor = threadProcessorMs();
    try {
      work();
      this.#charge();
      this.#drain();
    } catch {
      // Errors of guest code are values; what is thrown here is the engine's own failure.
      this.#shard.lose();
    } finally {
      this.#inside = false;
    }
    this.#closeIfIdle();
  }

  #drain(): void {
    const started = this.#clock;
    for (;;) {
      this.#forgetAbandoned();
      if (!this.#guest.hasJob) return;
      if (this.#strayMs > this.#limits.cpuMs) {
        // Work that belongs to no run does not end: the runs in here can no longer be told apart.
        this.#endAll('cpu');
        this.retire();
        return;
      }
      if (this.#clock - started > SLICE_MS) {
        this.#planDrain();
        return;
      }
      this.#guest.runJob();
      this.#charge();
    }
  }

  #planDrain(): void {
    if (this.#drainPlanned) return;
    this.#drainPlanned = true;
    setImmediate(() => {
      this.#drainPlanned = false;
      if (this.#state !== 'closed') this.#enter(() => {});
    });
  }

  #forgetAbandoned(): void {
    if (this.#abandoned.length === 0) return;
    const forgotten = this.#abandoned;
    this.#abandoned = [];
    this.#trusted = true;
    for (const id of forgotten) this.#guest.abandon(id);
    this.#trusted = false;
  }

  #closeIfIdle(): void {
    if (this.#state !== 'retired' || this.#runs.size > 0 || this.#inside) return;
    this.#state = 'closed';
    try {
      this.#guest.dispose();
      this.#shard.leave(this);
    } catch {
      // The engine found its memory in disorder and gave up.
      this.#shard.lose();
    }
  }

  // Time

  /** Puts the time since the last look at the clock to the account of the run in progress. */
  #charge(): void {
    const now = performance.now();
    const spent = now - this.#clock;
    this.#clock = now;
    const processorSpent = this.#suspects > 0 ? this.#lookAtProcessor() : undefined;
    const id = this.#guest.run;
    if (id === 0) {
      this.#strayMs += Math.min(spent, LONG_SLICE_MS);
      return;
    }
    const run = this.#runs.get(id);
    if (run === undefined) return;
    const { cpuMs, wallMs } = this.#limits;
    const wasSuspect = run.suspect;
    run.charge(spent, wasSuspect ? processorSpent : undefined, cpuMs);
    if (run.suspect && !wasSuspect && ++this.#suspects === 1) this.#lookAtProcessor();
    if (run.isOver(cpuMs, wallMs)) this.#overLimit(run, 'cpu');
  }

  /** Processor time since the last look at it, milliseconds. */
  #lookAtProcessor(): number {
    const before = this.#processor;
    this.#processor = threadProcessorMs();
    return this.#processor - before;
  }

  /** A run that has ended must not go on; nor may anything else without end. */
  #mayGoOn(): boolean {
    if (this.#trusted) return true;
    if (this.#state === 'setup') return performance.now() - this.#clock < SETUP_MS;
    this.#charge();
    const id = this.#guest.run;
    return id === 0 ? this.#strayMs <= this.#limits.cpuMs : this.#runs.has(id);
  }

  // Runs

  #late(id: number): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#overLimit(run, 'wall');
    if (!this.#inside) this.#enter(() => {});
  }

  #overLimit(run: Run, limit: LimitKind, detail: { index?: number; error?: GuestError } = {}): void {
    this.#end(run, { kind: 'limit', limit, ...detail });
    // A run stopped where it waits or calls leaves what kong.response.exit leaves. One stopped anywhere, or for want
    // of memory, may have left the functions' own state half changed.
    if ((limit === 'cpu' || limit === 'memory') && this.#state === 'open') this.#state = 'retired';
  }

  #end(run: Run, end: RunEnd): void {
    if (!this.#runs.delete(run.id)) return;
    if (run.suspect) this.#suspects--;
    this.#abandoned.push(run.id);
    run.end(end.kind === 'done' && this.#keepsTooMuch() ? { kind: 'limit', limit: 'memory' } : end);
  }

  /**
   * The engine's own limit sees single large allocations only; what functions keep from run to run is added up here,
   * now and then, since adding it up takes time.
   */
  #keepsTooMuch(): boolean {
    if (++this.#ended % MEMORY_CHECK_RUNS !== 0 || this.#state !== 'open') return false;
    if (this.#guest.memoryUsed() <= this.#limits.memoryBytes) return false;
    this.#state = 'retired';
    return true;
  }

  #endAll(limit: LimitKind): void {
    for (const run of [...this.#runs.values()]) this.#end(run, { kind: 'limit', limit });
  }

  #done(id: number, report: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    if (report === '') {
      this.#end(run, { kind: 'done' });
      return;
    }
    const { index, error } = readReport(report);
    const limit = error.name === 'InternalError' ? ENGINE_LIMITS[error.message] : undefined;
    if (limit !== undefined) this.#overLimit(run, limit, { index, error });
    else this.#end(run, { kind: 'failed', index, error });
  }

  // PDK calls and their answers

  #pdk({ method: index, call, json, buffers }: GuestCall): boolean {
    const run = this.#runs.get(this.#guest.run);
    const method = PDK_SURFACE[index];
    if (run === undefined || method === undefined) return false;
    run.pdkCalls++;
    run.outputBytes += buffers.reduce((sum, [, bytes]) => sum + bytes.length, json.length);
    if (run.pdkCalls > this.#limits.pdkCalls || run.outputBytes > this.#limits.outputBytes) {
      this.#overLimit(run, run.pdkCalls > this.#limits.pdkCalls ? 'pdk_calls' : 'output');
      return false;
    }
    const failed = (error: unknown): boolean => {
      if (error instanceof HandlerExit) this.#end(run, { kind: 'ended', error });
      else this.#answer({ run: run.id, call, ok: false, value: messageOf(error) });
      return !(error instanceof HandlerExit);
    };
    try {
      const args = readArguments(json, buffers);
      if (method.kind === 'exit') {
        this.#end(run, { kind: 'exit', method: method.path.at(-1) as 'exit' | 'error', args });
        return false;
      }
      callPdkMethod(run.kong, method, args).then(
        (value) => this.#answer({ run: run.id, call, ok: true, value }),
        failed,
      );
      return true;
    } catch (error) {
      return failed(error);
    }
  }

  /** Queues an answer; those that come together go in together. */
  #answer(answer: Answer & { run: number }): void {
    if (answer.call === 0 || !this.#runs.has(answer.run)) return;
    if (this.#answers.push(answer) === 1) queueMicrotask(() => this.#settle());
  }

  #settle(): void {
    const answers = this.#answers.filter(({ run }) => this.#runs.has(run));
    this.#answers = [];
    const [first] = answers;
    if (first === undefined) return;
    const { json, buffers } = writeAnswers(answers);
    const size = buffers.reduce((sum, bytes) => sum + bytes.length, json.length);
    this.#enter(() => {
      const fits = size < this.#limits.memoryBytes / 2;
      if (fits && this.#guest.settle(first.run, json, buffers)) return;
      // The guest's part of this does not fail but for want of memory.
      for (const { run: id } of answers) {
        const run = this.#runs.get(id);
        if (run !== undefined) this.#overLimit(run, 'memory');
      }
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
