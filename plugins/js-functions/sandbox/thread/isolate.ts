import type { LimitKind, Limits } from '../limits.js';
import type { GuestError, ProgramUnit, RunEnd } from '../messages.js';
import { Accounts } from './accounts.js';
import { Guest, type GuestCall, type GuestHost } from './guest.js';
import type { IsolateHost } from './isolate-host.js';
import { type Answer, MarshalError, readArguments, writeAnswers } from './marshal.js';
import { Run, readReport } from './run.js';

/** How long an isolate may take to get ready, milliseconds of the clock. */
const SETUP_MS = 10_000;

/**
 * The functions of one plugin instance in an engine of their own, and the runs in progress in it.
 *
 * Runs share the engine, interleaved where they wait. Every entry into guest code goes through {@link Isolate.#enter},
 * which also keeps the accounts: time goes to the run that guest code says it is working for. When no run is left,
 * nothing is executed until the next one starts.
 */
export class Isolate {
  readonly #host: IsolateHost;
  readonly #instance: number;
  readonly #limits: Limits;
  readonly #runs = new Map<number, Run>();
  readonly #accounts: Accounts;
  #guest: Guest | undefined;
  /** Runs that the host ended and that guest code must forget before its next job. */
  #abandoned: number[] = [];
  #answers: Answer[] = [];
  #state: 'setup' | 'open' | 'retired' | 'closed' = 'setup';
  #inside = false;
  /** Whether guest code of this project alone is running: it is not interrupted. */
  #trusted = false;
  /**
   * Makes an isolate and compiles the program in it.
   *
   * @throws IsolateError
   */
  static async open(
    host: IsolateHost,
    instance: number,
    program: readonly ProgramUnit[],
    limits: Limits,
  ): Promise<Isolate> {
    const isolate = new Isolate(host, instance, limits);
    const guestHost: GuestHost = {
      mayGoOn: () => isolate.#mayGoOn(),
      pdk: (call) => isolate.#pdk(call),
      done: (run, report) => isolate.#done(run, report),
    };
    isolate.#guest = await Guest.open(host.code, host.template, program, limits, guestHost);
    isolate.#state = 'open';
    return isolate;
  }

  private constructor(host: IsolateHost, instance: number, limits: Limits) {
    this.#host = host;
    this.#instance = instance;
    this.#limits = limits;
    this.#accounts = new Accounts(limits.cpuMs, host.state);
  }

  /** Whether new runs are taken. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Memory that the isolate has taken, bytes. */
  get memoryUsed(): number {
    return this.#guest?.memoryUsed ?? 0;
  }

  /** Starts the functions of a phase for one request; the host is told when they have ended. */
  run(id: number, phase: number): void {
    this.#runs.set(id, new Run(id));
    this.#enter((guest) => guest.start(id, phase));
  }

  /** Hands in an answer. They wait for {@link settle}, so that those that come together go in together. */
  answer(answer: Answer): void {
    if (answer.call !== 0 && this.#runs.has(answer.run)) this.#answers.push(answer);
  }

  /** Hands the answers in. */
  settle(): void {
    const answers = this.#answers;
    this.#answers = [];
    const [first] = answers;
    if (first === undefined || this.#runs.size === 0) return;
    const { json, bytes } = writeAnswers(answers);
    this.#enter((guest) => {
      const fits = json.length + (bytes?.length ?? 0) < this.#limits.memoryBytes / 2;
      if (fits && guest.settle(first.run, json, bytes)) return;
      // The guest's part of this does not fail but for want of memory.
      for (const { run: id } of answers) {
        const run = this.#runs.get(id);
        if (run !== undefined) this.#overLimit(run, 'memory');
      }
    });
  }

  /** Ends a run, whatever it is doing; nobody is told. */
  end(id: number): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#forget(run);
    this.#enter(() => {});
  }

  /** Takes no new runs. */
  retire(): void {
    if (this.#state === 'open') this.#state = 'retired';
    this.#closeIfIdle();
  }

  /** Runs `work`, which enters guest code, and then the jobs that it left. */
  #enter(work: (guest: Guest) => void): void {
    const guest = this.#guest;
    if (guest === undefined) {
      this.#endAll('engine');
      return;
    }
    this.#inside = true;
    this.#accounts.enter(this.#instance, guest.memoryUsed);
    try {
      work(guest);
      this.#charge();
      this.#drain(guest);
    } catch {
      // Errors of guest code are values; what is thrown here is the engine's own failure, and its memory is lost.
      this.#state = 'closed';
      this.#guest = undefined;
      this.#endAll('engine');
    } finally {
      this.#inside = false;
      this.#accounts.leave();
    }
    this.#closeIfIdle();
  }

  #drain(guest: Guest): void {
    for (;;) {
      this.#forgetAbandoned(guest);
      const { hasJob } = guest;
      if (!hasJob) this.#accounts.settled();
      if (!hasJob || this.#runs.size === 0) return;
      if (this.#accounts.strayIsOver) {
        // Work that belongs to no run does not end: the runs in here can no longer be told apart.
        this.#endAll('cpu');
        this.retire();
        return;
      }
      guest.runJob();
      this.#charge();
    }
  }

  #forgetAbandoned(guest: Guest): void {
    if (this.#abandoned.length === 0) return;
    const forgotten = this.#abandoned;
    this.#abandoned = [];
    this.#trusted = true;
    for (const id of forgotten) guest.abandon(id);
    this.#trusted = false;
  }

  #closeIfIdle(): void {
    if (this.#state !== 'retired' || this.#runs.size > 0 || this.#inside) return;
    this.#state = 'closed';
    // Its memory goes with it.
    this.#guest = undefined;
  }

  /** Puts the time since the last look at the clock to the account of the run in progress. */
  #charge(): void {
    const id = this.#guest?.run ?? 0;
    const run = this.#runs.get(id);
    if (run !== undefined) {
      if (this.#accounts.charge(run)) this.#overLimit(run, 'cpu');
    } else if (id === 0) this.#accounts.chargeNobody();
    else this.#accounts.pass();
  }

  /** A run that has ended must not go on; nor may anything else without end. */
  #mayGoOn(): boolean {
    if (this.#trusted) return true;
    if (this.#state === 'setup') return this.#accounts.sinceLookMs < SETUP_MS;
    this.#charge();
    const id = this.#guest?.run ?? 0;
    return id === 0 ? !this.#accounts.strayIsOver && this.#runs.size > 0 : this.#runs.has(id);
  }

  #overLimit(run: Run, limit: LimitKind, detail: { index?: number; error?: GuestError } = {}): void {
    this.#end(run, { kind: 'limit', limit, ...detail });
    // A run stopped where it waits or calls leaves what kong.response.exit leaves. One stopped anywhere, or for want
    // of memory, may have left the functions' own state half changed.
    if ((limit === 'cpu' || limit === 'memory') && this.#state === 'open') this.#state = 'retired';
  }

  #forget(run: Run): boolean {
    if (!this.#runs.delete(run.id)) return false;
    this.#accounts.close(run);
    this.#abandoned.push(run.id);
    return true;
  }

  #end(run: Run, end: RunEnd): void {
    if (this.#forget(run)) this.#host.ended(run.id, end);
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
    const { limit, ...detail } = readReport(report);
    if (limit !== undefined) this.#overLimit(run, limit, detail);
    else this.#end(run, { kind: 'failed', ...detail });
  }

  #pdk({ method: index, call, json, buffers }: GuestCall): true | false | string {
    const run = this.#runs.get(this.#guest?.run ?? 0);
    const method = this.#host.surface[index];
    if (run === undefined || method === undefined) return false;
    const limit = run.calls(json, buffers, this.#limits);
    if (limit !== undefined) {
      this.#overLimit(run, limit);
      return false;
    }
    let args: unknown[];
    try {
      args = readArguments(json, buffers);
    } catch (error) {
      if (error instanceof MarshalError) return error.message;
      throw error;
    }
    if (method.kind === 'exit') {
      this.#end(run, { kind: 'exit', method: method.path.at(-1) as 'exit' | 'error', args });
      return false;
    }
    this.#host.call(run.id, index, call, args);
    return true;
  }
}
