import type { Engine, EngineCode, EngineImage } from '../engine.js';
import { Engine as EngineClass } from '../engine.js';
import type { Limits } from '../limits.js';
import type { ProgramUnit } from '../messages.js';
import { GUEST_FILE, GUEST_SOURCE } from './guest/source.js';
import { performService } from './host-services.js';

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

/** The isolate could not be made: no memory for it, or code that the engine does not take. */
export class IsolateError extends Error {
  readonly code = 'JS_ISOLATE';
}

/** An engine with the guest's own code in it and no program yet: what every isolate begins with. */
export interface GuestTemplate {
  readonly image: EngineImage;
  /** Pointers into its memory. */
  readonly at: Readonly<Record<'runtime' | 'context' | 'words' | (typeof PARTS)[number], number>>;
  /** Where the engine counts down to its next look at the interrupt handler; 0: not found. */
  readonly countdown: number;
}

const PARTS = ['seed', 'define', 'start', 'settle', 'abandon'] as const;

/** Functions of the host, by the numbers under which the engine calls them. */
const HOST_FUNCTIONS = ['', 'check', 'stop', 'pdk', 'done', 'service'] as const;

/** The engine's parts: base objects, Date, eval (for the host), regular expressions and their compiler, JSON, Proxy,
 * Map and Set, typed arrays, promises. Left out: String.prototype.normalize, BigInt, and what came after. */
const INTRINSICS = 1 | 2 | 4 | 16 | 32 | 64 | 128 | 256 | 512 | 1024;

/** Polls between two looks at the clock. */
const POLLS = 128;
/** What QuickJS sets its countdown to whenever it asks the interrupt handler (JS_INTERRUPT_COUNTER_INIT). */
const COUNTER_START = 10_000;
/** How much of the context's structure is searched for the countdown, in 32-bit words. */
const SEARCHED_WORDS = 512;
/** Host services take at most so much text, bytes: what they make of it lies outside of the isolate's memory. */
const MOST_SERVICE_TEXT = 2 * 1024 * 1024;
const TEMPLATE_BYTES = 16 * 1024 * 1024;

/**
 * The engine's side of an isolate: its runtime, the guest code in it, and the calls in both directions. Nothing of the
 * host gets in but numbers, strings and copies of bytes, and nothing else comes out.
 *
 * Methods throw only when the engine itself has failed; it must not be used any more then.
 */
export class Guest {
  readonly #engine: Engine;
  readonly #at: GuestTemplate['at'];
  readonly #countdown: number;

  private constructor(engine: Engine, at: GuestTemplate['at'], countdown: number) {
    this.#engine = engine;
    this.#at = at;
    this.#countdown = countdown;
  }

  /**
   * Makes a guest and defines the program in it.
   *
   * @throws IsolateError
   */
  static async open(
    code: EngineCode,
    { image, at, countdown }: GuestTemplate,
    program: readonly ProgramUnit[],
    limits: Limits,
    host: GuestHost,
  ): Promise<Guest> {
    let guest: Guest | undefined;
    const engine = await EngineClass.start(
      code,
      limits.memoryBytes,
      callbacksOf(host, () => guest),
      image.pages,
    );
    engine.become(image);
    const made = new Guest(engine, at, countdown);
    guest = made;
    const { fn } = engine;
    fn._QTS_RuntimeSetMemoryLimit(at.runtime, limits.memoryBytes);
    fn._QTS_RuntimeSetMaxStackSize(at.runtime, limits.stackBytes);
    // The engine's generator of random numbers would begin in every copy where it stood in the template.
    made.#call(at.seed, 0, [made.#number(Math.random() * 2 ** 32), made.#number(Math.random() * 2 ** 32)]);
    for (const { name, phase, code: text, mayReturnFunction } of program) {
      const unit = made.#evaluate(text, name);
      if (!made.#call(at.define, 0, [made.#number(phase), unit, made.#number(mayReturnFunction ? 1 : 0)])) {
        throw new IsolateError(`the engine has no room for ${name}`);
      }
    }
    return made;
  }

  /**
   * Makes what every guest begins with: done once, since it takes as long as many runs.
   *
   * @param methods the paths of the PDK's methods, and whether a call ends the run when its arguments cannot be taken
   */
  static async template(
    code: EngineCode,
    methods: readonly (readonly [path: readonly string[], strict: boolean])[],
  ): Promise<GuestTemplate> {
    let asked: () => boolean = () => false;
    const engine = await EngineClass.start(code, TEMPLATE_BYTES, {
      callFunction: () => 0,
      shouldInterrupt: () => asked(),
    });
    const { fn } = engine;
    const runtime = fn._QTS_NewRuntime();
    const context = fn._QTS_NewContext(runtime, INTRINSICS);
    fn._QTS_RuntimeEnableInterruptHandler(runtime);
    const wordsAt = fn._malloc(8);
    engine.bytes.fill(0, wordsAt, wordsAt + 8);
    const none = { runtime, context, words: wordsAt, seed: 0, define: 0, start: 0, settle: 0, abandon: 0 };
    const maker = new Guest(engine, none, 0);
    const buffer = fn._QTS_NewArrayBuffer(context, wordsAt, 8);
    const toWords = maker.#evaluate('(function (buffer) { return new Int32Array(buffer); })', GUEST_FILE);
    const words = maker.#result(toWords, [buffer]);
    const host = fn._QTS_NewObject(context);
    for (const [id, name] of HOST_FUNCTIONS.entries()) {
      if (name === '') continue;
      const text = engine.putText(name);
      const made = fn._QTS_NewFunction(context, text, 0, false, id);
      const key = fn._QTS_NewString(context, text);
      fn._QTS_SetProp(context, host, key, made);
      for (const value of [made, key]) fn._QTS_FreeValuePointer(context, value);
      fn._free(text);
    }
    const factory = maker.#evaluate(GUEST_SOURCE, GUEST_FILE);
    const api = maker.#result(factory, [host, words, maker.#string(JSON.stringify(methods))]);
    const parts = Object.fromEntries(
      PARTS.map((name) => [name, fn._QTS_GetProp(context, api, maker.#string(name))]),
    ) as Record<(typeof PARTS)[number], number>;
    const countdown = maker.#findCountdown((ask) => {
      asked = ask;
    }, words);
    engine.bytes.fill(0, wordsAt, wordsAt + 8);
    return { image: engine.image(), at: { runtime, context, words: wordsAt, ...parts }, countdown };
  }

  /** The run that guest code is working for; 0: unknown. */
  get run(): number {
    return this.#engine.bytes.readInt32LE(this.#at.words);
  }

  /** Starts a run of a phase's functions. */
  start(run: number, phase: number): void {
    this.#call(this.#at.start, run, [this.#number(run), this.#number(phase)]);
  }

  /** Hands in answers as `writeAnswers` wrote them; false when there was no memory for them. */
  settle(run: number, json: string, bytes: Uint8Array | undefined): boolean {
    const text = this.#string(json);
    if (text === 0) return false;
    if (bytes === undefined) return this.#call(this.#at.settle, run, [text]);
    const buffer = this.#arrayBuffer(bytes);
    return buffer !== 0 && this.#call(this.#at.settle, run, [text, buffer]);
  }

  /** Makes guest code forget a run. */
  abandon(run: number): void {
    this.#call(this.#at.abandon, 0, [this.#number(run)]);
  }

  get hasJob(): boolean {
    return this.#engine.fn._QTS_IsJobPending(this.#at.runtime) !== 0;
  }

  /** Runs one job: a continuation of some run, which says so itself. */
  runJob(): void {
    const { fn, bytes } = this.#engine;
    bytes.writeInt32LE(0, this.#at.words);
    this.#pollAfter(POLLS);
    this.#free(fn._QTS_ExecutePendingJob(this.#at.runtime, 1, this.#at.words + 4));
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

  /** Guest code called one of {@link HOST_FUNCTIONS}; a truthy answer to check, stop and pdk stops it. */
  called(host: GuestHost, id: number, count: number, args: number): number {
    const { fn } = this.#engine;
    const { context } = this.#at;
    const arg = (index: number) => fn._QTS_ArgvGetJSValueConstPointer(args, index);
    const text = (index: number, most?: number) => this.#textOf(arg(index), most);
    const answer = (going: true | false | string) => {
      if (going === true) return 0;
      if (typeof going === 'string') return this.#string(going);
      this.#pollAfter(1);
      return this.#number(1);
    };
    switch (HOST_FUNCTIONS[id]) {
      case 'check':
        return answer(host.mayGoOn());
      case 'stop':
        return answer(false);
      case 'pdk': {
        const buffers: [number, Uint8Array][] = [];
        for (let i = 3; i + 1 < count; i += 2) {
          buffers.push([fn._QTS_GetFloat64(context, arg(i)), this.#bytesOf(arg(i + 1))]);
        }
        const json = text(2);
        if (json === undefined) return answer('the arguments could not be read');
        const method = fn._QTS_GetFloat64(context, arg(0));
        return answer(host.pdk({ method, call: fn._QTS_GetFloat64(context, arg(1)), json, buffers }));
      }
      case 'done':
        host.done(fn._QTS_GetFloat64(context, arg(0)), text(1) ?? '');
        return 0;
      case 'service': {
        const buffers: Uint8Array[] = [];
        for (let i = 2; i < count; i++) buffers.push(this.#bytesOf(arg(i)));
        const given = performService(text(0) ?? '', text(1, MOST_SERVICE_TEXT), buffers);
        return given instanceof Uint8Array ? this.#arrayBuffer(given) : this.#string(given);
      }
      default:
        return 0;
    }
  }

  #pollAfter(polls: number): void {
    if (this.#countdown !== 0) this.#engine.bytes.writeInt32LE(polls, this.#countdown);
  }

  #number(value: number): number {
    return this.#engine.fn._QTS_NewFloat64(this.#at.context, value);
  }

  /** 0: there was no memory for it. */
  #string(text: string): number {
    const { fn } = this.#engine;
    const pointer = this.#engine.putText(text);
    if (pointer === 0) return 0;
    const value = fn._QTS_NewString(this.#at.context, pointer);
    fn._free(pointer);
    return value;
  }

  /** 0: there was no memory for it. */
  #arrayBuffer(bytes: Uint8Array): number {
    const pointer = this.#engine.putBytes(bytes);
    return pointer === 0 ? 0 : this.#engine.fn._QTS_NewArrayBuffer(this.#at.context, pointer, bytes.length);
  }

  #textOf(value: number, most?: number): string | undefined {
    const { fn } = this.#engine;
    const pointer = fn._QTS_GetString(this.#at.context, value);
    if (pointer === 0) return undefined;
    const text = this.#engine.textAt(pointer, most);
    fn._QTS_FreeCString(this.#at.context, pointer);
    return text;
  }

  #bytesOf(value: number): Uint8Array {
    const { fn } = this.#engine;
    const length = fn._QTS_GetArrayBufferLength(this.#at.context, value);
    const pointer = length > 0 ? fn._QTS_GetArrayBuffer(this.#at.context, value) : 0;
    if (pointer === 0) return new Uint8Array();
    const bytes = Uint8Array.prototype.slice.call(this.#engine.bytes, pointer, pointer + length);
    fn._free(pointer);
    return bytes;
  }

  #free(value: number): void {
    this.#engine.fn._QTS_FreeValuePointer(this.#at.context, value);
  }

  /** Calls one of the guest's own functions on behalf of a run; frees everything; false when it threw. */
  #call(callee: number, run: number, args: readonly number[]): boolean {
    this.#engine.bytes.writeInt32LE(run, this.#at.words);
    this.#pollAfter(POLLS);
    const result = this.#apply(callee, args);
    const error = this.#engine.fn._QTS_ResolveException(this.#at.context, result);
    if (error !== 0) this.#free(error);
    this.#free(result);
    for (const arg of args) this.#free(arg);
    return error === 0;
  }

  #apply(callee: number, args: readonly number[]): number {
    const { fn } = this.#engine;
    const list = fn._malloc(args.length * 4 + 4);
    for (const [index, arg] of args.entries()) this.#engine.bytes.writeInt32LE(arg, list + index * 4);
    const result = fn._QTS_Call(this.#at.context, callee, fn._QTS_GetUndefined(), args.length, list);
    fn._free(list);
    return result;
  }

  #result(callee: number, args: readonly number[]): number {
    return this.#checked(this.#apply(callee, args));
  }

  #evaluate(code: string, file: string): number {
    const { fn } = this.#engine;
    const [text, name] = [this.#engine.putText(code), this.#engine.putText(file)];
    if (text === 0 || name === 0) throw new IsolateError('there is no memory for the code');
    const value = fn._QTS_Eval(this.#at.context, text, Buffer.byteLength(code), name, 0, 0);
    fn._free(text);
    fn._free(name);
    return this.#checked(value);
  }

  #checked(value: number): number {
    const { fn } = this.#engine;
    const error = fn._QTS_ResolveException(this.#at.context, value);
    if (error === 0) return value;
    const text = fn._QTS_Dump(this.#at.context, error);
    throw new IsolateError(`the engine did not take the code: ${this.#engine.textAt(text)}`);
  }

  /**
   * Finds where in a context's structure the engine counts its polls: the word that is back at its start whenever the
   * handler is asked, and that decides when the handler is asked again. QuickJS asks at every 10,000th poll only; where
   * a poll stands after the comparison of two long strings that is minutes.
   */
  #findCountdown(onAsked: (ask: () => boolean) => void, words: number): number {
    const { context, words: wordsAt } = this.#at;
    const shortened = 500;
    let candidates: number[] = [];
    let [last, asked, found] = [0, 0, 0];
    onAsked(() => {
      const { bytes } = this.#engine;
      const passed = bytes.readInt32LE(wordsAt) - last;
      last += passed;
      if (asked++ === 0) {
        for (let at = context; at < context + SEARCHED_WORDS * 4; at += 4) {
          if (bytes.readInt32LE(at) === COUNTER_START) candidates.push(at);
        }
      } else if (passed > 0 && passed <= shortened * 2) {
        // The loop below goes round once a poll: a countdown that was shortened shows in how often it went round.
        found = candidates[0] ?? 0;
      } else {
        candidates = candidates.slice(1);
      }
      if (found !== 0 || candidates[0] === undefined) return true;
      bytes.writeInt32LE(shortened, candidates[0]);
      return false;
    });
    const loop = this.#evaluate('(function (words) { for (;;) words[0]++; })', GUEST_FILE);
    this.#free(this.#apply(loop, [words]));
    return found;
  }
}

function callbacksOf(host: GuestHost, guest: () => Guest | undefined) {
  return {
    callFunction: (_self: number, count: number, args: number, id: number) =>
      guest()?.called(host, id, count, args) ?? 0,
    shouldInterrupt: () => guest()?.interrupted(host) ?? false,
  };
}
