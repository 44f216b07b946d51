import { Engine, type EngineCode } from '../engine.js';
import type { Limits } from '../limits.js';
import type { ProgramUnit } from '../messages.js';
import { EngineContext, IsolateError } from './context.js';
import { performService } from './host-services.js';
import { type GuestTemplate, HOST_FUNCTIONS, pollAfter } from './template.js';

/** A PDK call as guest code makes it. */
export interface GuestCall {
  /** Index in the list of methods that the guest was made with. */
  readonly method: number;
  /** The number to answer it by; 0 when no answer is wanted. */
  readonly call: number;
  /** The arguments but for the bytes among them: a JSON array. */
  readonly json: string;
  /** The bytes, by their position in the arguments. */
  readonly buffers: readonly (readonly [number, Uint8Array])[];
}

/** What guest code can ask of the host, beside the services. None of these may throw. */
export interface GuestHost {
  /** Whether the guest code in progress may go on. */
  mayGoOn(): boolean;
  /** Makes a PDK call for the run in progress: go on, stop here, or a text: it cannot be made, for this reason. */
  pdk(call: GuestCall): true | false | string;
  /** A run has ended; `report` is empty, or JSON about what was thrown. */
  done(run: number, report: string): void;
}

/** Polls between two looks at the clock. */
const POLLS = 128;
/** Host services take at most so much text, bytes: what they make of it lies outside of the isolate's memory. */
const MOST_SERVICE_TEXT = 2 * 1024 * 1024;

/**
 * The engine's side of an isolate: its runtime, the guest code in it, and the calls in both directions. Nothing of the
 * host gets in but numbers, strings and copies of bytes, and nothing else comes out.
 *
 * Methods throw only when the engine itself has failed; it must not be used any more then.
 */
export class Guest {
  readonly #engine: Engine;
  readonly #inside: EngineContext;
  readonly #at: GuestTemplate['at'];

  private constructor(engine: Engine, at: GuestTemplate['at']) {
    this.#engine = engine;
    this.#inside = new EngineContext(engine, at.context);
    this.#at = at;
  }

  /**
   * Makes a guest and defines the program in it.
   *
   * @throws IsolateError
   */
  static async open(
    code: EngineCode,
    { image, at }: GuestTemplate,
    program: readonly ProgramUnit[],
    limits: Limits,
    host: GuestHost,
  ): Promise<Guest> {
    let guest: Guest | undefined;
    const callbacks = {
      callFunction: (_self: number, count: number, args: number, id: number) =>
        guest?.called(host, id, count, args) ?? 0,
      shouldInterrupt: () => guest?.interrupted(host) ?? false,
    };
    const engine = await Engine.start(code, limits.memoryBytes, callbacks, image.pages);
    engine.become(image);
    const made = new Guest(engine, at);
    guest = made;
    engine.fn._QTS_RuntimeSetMemoryLimit(at.runtime, limits.memoryBytes);
    engine.fn._QTS_RuntimeSetMaxStackSize(at.runtime, limits.stackBytes);
    // The engine's generator of random numbers would begin in every copy where it stood in the template.
    made.#call(at.seed, 0, made.#numbers(Math.random() * 2 ** 32, Math.random() * 2 ** 32));
    for (const { name, phase, code: text, mayReturnFunction } of program) {
      const unit = made.#inside.evaluate(text, name);
      if (!made.#call(at.define, 0, [unit, ...made.#numbers(phase, mayReturnFunction ? 1 : 0)])) {
        throw new IsolateError(`the engine has no room for ${name}`);
      }
    }
    return made;
  }

  /** The run that guest code is working for; 0: unknown. */
  get run(): number {
    return this.#engine.bytes.readInt32LE(this.#at.words);
  }

  /** Starts a run of a phase's functions. */
  start(run: number, phase: number): void {
    this.#call(this.#at.start, run, this.#numbers(run, phase));
  }

  /** Hands in answers as `writeAnswers` wrote them; false when there was no memory for them. */
  settle(run: number, json: string, bytes: Uint8Array | undefined): boolean {
    const text = this.#inside.string(json);
    if (text === 0) return false;
    if (bytes === undefined) return this.#call(this.#at.settle, run, [text]);
    const buffer = this.#inside.arrayBuffer(bytes);
    return buffer !== 0 && this.#call(this.#at.settle, run, [text, buffer]);
  }

  /** Makes guest code forget a run. */
  abandon(run: number): void {
    this.#call(this.#at.abandon, 0, this.#numbers(run));
  }

  get hasJob(): boolean {
    return this.#engine.fn._QTS_IsJobPending(this.#at.runtime) !== 0;
  }

  /** Runs one job: a continuation of some run, which says so itself. */
  runJob(): void {
    this.#enter(0);
    const { runtime, words } = this.#at;
    this.#inside.free(this.#engine.fn._QTS_ExecutePendingJob(runtime, 1, words + 4));
  }

  /** Memory that the engine has taken for the isolate so far, bytes. */
  get memoryUsed(): number {
    return this.#engine.bytes.length;
  }

  /** The engine asks whether to stop. Once it is to, every poll asks again. */
  interrupted(host: GuestHost): boolean {
    const goOn = host.mayGoOn();
    this.#pollAfter(goOn ? POLLS : 1);
    return !goOn;
  }

  /** Guest code called one of {@link HOST_FUNCTIONS}; a truthy answer to stop and pdk stops it, or says why not. */
  called(host: GuestHost, id: number, count: number, args: number): number {
    const { fn } = this.#engine;
    const inside = this.#inside;
    const arg = (index: number) => fn._QTS_ArgvGetJSValueConstPointer(args, index);
    const number = (index: number) => fn._QTS_GetFloat64(inside.pointer, arg(index));
    const bytes = (index: number) => inside.bytesOf(arg(index));
    switch (HOST_FUNCTIONS[id]) {
      case 'stop':
        return this.#stop();
      case 'pdk': {
        const buffers: [number, Uint8Array][] = [];
        for (let i = 3; i + 1 < count; i += 2) buffers.push([number(i), bytes(i + 1)]);
        const json = inside.textOf(arg(2));
        if (json === undefined) return inside.string('the arguments could not be read');
        const going = host.pdk({ method: number(0), call: number(1), json, buffers });
        if (going === true) return 0;
        return going === false ? this.#stop() : inside.string(going);
      }
      case 'done':
        host.done(number(0), inside.textOf(arg(1)) ?? '');
        return 0;
      case 'service': {
        const buffers: Uint8Array[] = [];
        for (let i = 2; i < count; i++) buffers.push(bytes(i));
        const args = inside.textOf(arg(1), MOST_SERVICE_TEXT);
        const given = performService(inside.textOf(arg(0)) ?? '', args, buffers);
        return given instanceof Uint8Array ? inside.arrayBuffer(given) : inside.string(given);
      }
      default:
        return 0;
    }
  }

  #stop(): number {
    this.#pollAfter(1);
    return this.#inside.number(1);
  }

  #pollAfter(polls: number): void {
    pollAfter(this.#engine, this.#at.context, polls);
  }

  /** Guest code is about to run on behalf of a run. */
  #enter(run: number): void {
    this.#engine.bytes.writeInt32LE(run, this.#at.words);
    this.#pollAfter(POLLS);
  }

  #numbers(...values: number[]): number[] {
    return values.map((value) => this.#inside.number(value));
  }

  /** Calls one of the guest's own functions on behalf of a run; frees everything; false when it threw. */
  #call(callee: number, run: number, args: readonly number[]): boolean {
    this.#enter(run);
    const inside = this.#inside;
    const result = inside.apply(callee, args);
    const error = this.#engine.fn._QTS_ResolveException(inside.pointer, result);
    if (error !== 0) inside.free(error);
    inside.free(result);
    for (const arg of args) inside.free(arg);
    return error === 0;
  }
}
