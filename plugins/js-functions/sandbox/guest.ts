import { PluginServerError } from 'kong-ts-pluginserver';
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten';
import type { Shard } from './engine.js';
import { GUEST_FILE, GUEST_SOURCE } from './guest/source.js';
import { GuestMemory } from './guest-memory.js';
import { performService, ServiceError } from './host-services.js';
import type { Limits } from './limits.js';
import { readArguments } from './marshal.js';
import { PDK_SURFACE } from './pdk-surface.js';

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

/** A PDK call as guest code makes it. */
export interface GuestCall {
  /** Index in {@link PDK_SURFACE}. */
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
  /** Makes a PDK call for the run in progress; false when the run is to stop here. */
  pdk(call: GuestCall): boolean;
  /** A run has ended; `report` is empty, or JSON about what was thrown. */
  done(run: number, report: string): void;
}

/** The isolate could not be made: no memory for it, or code that the engine does not take. */
export class IsolateError extends PluginServerError {
  constructor(message: string, options?: ErrorOptions) {
    super('JS_ISOLATE', message, options);
  }
}

/** Polls between two looks at the clock: see {@link GuestMemory}. */
const POLLS = 64;

const SURFACE_JSON = JSON.stringify(PDK_SURFACE.map(({ path }) => path));

type CallResult = ReturnType<QuickJSContext['evalCode']>;

/**
 * The engine's side of an isolate: its runtime, the guest code in it, and the calls in both directions. Nothing of the
 * host gets in but numbers, strings and copies of bytes, and nothing else comes out.
 *
 * Methods throw only when the engine itself has failed; its memory must not be used any more then.
 */
export class Guest {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #memory: GuestMemory;
  readonly #host: GuestHost;
  readonly #handles: QuickJSHandle[] = [];
  readonly #start: QuickJSHandle;
  readonly #settle: QuickJSHandle;
  readonly #abandon: QuickJSHandle;

  /** @throws IsolateError */
  constructor(shard: Shard, program: readonly ProgramUnit[], limits: Limits, host: GuestHost) {
    this.#host = host;
    this.#runtime = shard.module.newRuntime();
    this.#runtime.setMemoryLimit(limits.memoryBytes);
    this.#runtime.setMaxStackSize(limits.stackBytes);
    this.#context = this.#runtime.newContext();
    this.#memory = new GuestMemory(shard.module, this.#context, shard.pollCounter);
    this.#runtime.setInterruptHandler(() => this.#interrupted());
    const context = this.#context;

    const provided = this.#provide();
    const factory = this.#evaluate(GUEST_SOURCE, GUEST_FILE);
    const surface = context.newString(SURFACE_JSON);
    const toWords = this.#evaluate('(function (buffer) { return new Int32Array(buffer); })', GUEST_FILE);
    const words = this.#unwrap(context.callFunction(toWords, context.undefined, this.#memory.buffer));
    const api = this.#unwrap(context.callFunction(factory, context.undefined, provided, words, surface));
    const part = (name: string) => this.#keep(context.getProp(api, name));
    const define = part('define');
    for (const { name, phase, code, mayReturnFunction } of program) {
      const unit = this.#evaluate(code, name);
      const index = context.newNumber(phase);
      const may = mayReturnFunction ? context.true : context.false;
      this.#unwrap(context.callFunction(define, context.undefined, index, unit, may)).dispose();
      index.dispose();
      unit.dispose();
    }
    this.#start = part('start');
    this.#settle = part('settle');
    this.#abandon = part('abandon');
    for (const handle of [factory, surface, toWords, words, api, provided]) handle.dispose();
    this.#keep(this.#memory.buffer);
  }

  /** The run that guest code is working for; 0: unknown. */
  get run(): number {
    return this.#memory.run;
  }

  /** Starts a run of a phase's functions. */
  start(run: number, phase: number): void {
    const args = [this.#context.newNumber(run), this.#context.newNumber(phase)];
    this.#call(this.#start, run, args);
  }

  /** Hands in answers as `writeAnswers` wrote them; false when there was no memory for them. */
  settle(run: number, json: string, buffers: readonly Uint8Array[]): boolean {
    const args = [
      this.#context.newString(json),
      ...buffers.map((bytes) => this.#context.newArrayBuffer(exact(bytes))),
    ];
    return this.#call(this.#settle, run, args);
  }

  /** Makes guest code forget a run. */
  abandon(run: number): void {
    this.#call(this.#abandon, 0, [this.#context.newNumber(run)]);
  }

  get hasJob(): boolean {
    return this.#runtime.hasPendingJob();
  }

  /** Runs one job: a continuation of some run, which says so itself. */
  runJob(): void {
    this.#memory.run = 0;
    this.#memory.pollAfter(POLLS);
    const result = this.#runtime.executePendingJobs(1);
    if (result.error !== undefined) result.error.dispose();
  }

  /** Memory in use, bytes. */
  memoryUsed(): number {
    const usage = this.#runtime.computeMemoryUsage();
    const size = this.#context.getProp(usage, 'memory_used_size');
    const bytes = this.#context.getNumber(size);
    size.dispose();
    usage.dispose();
    return bytes;
  }

  dispose(): void {
    for (const handle of this.#handles) handle.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  #provide(): QuickJSHandle {
    const context = this.#context;
    const object = context.newObject();
    const provide = (name: string, answer: (...args: QuickJSHandle[]) => QuickJSHandle) => {
      const handle = context.newFunction(name, answer);
      context.setProp(object, name, handle);
      handle.dispose();
    };
    const stopUnless = (goOn: boolean) => {
      if (!goOn) this.#memory.pollAfter(1);
      return context.newNumber(goOn ? 0 : 1);
    };
    provide('check', () => stopUnless(this.#host.mayGoOn()));
    provide('stop', () => stopUnless(false));
    provide('pdk', (method, call, json, ...buffers) => stopUnless(this.#pdk(method, call, json, buffers)));
    provide('done', (run, report) => {
      if (run !== undefined && report !== undefined) {
        this.#host.done(context.getNumber(run), context.getString(report));
      }
      return context.undefined;
    });
    provide('service', (operation, args, ...buffers) => this.#served(operation, args, buffers));
    return object;
  }

  /** The engine's question whether to stop. Once it is to, every poll asks again. */
  #interrupted(): boolean {
    const goOn = this.#host.mayGoOn();
    this.#memory.pollAfter(goOn ? POLLS : 1);
    return !goOn;
  }

  #pdk(
    method: QuickJSHandle | undefined,
    call: QuickJSHandle | undefined,
    json: QuickJSHandle | undefined,
    bufferHandles: readonly QuickJSHandle[],
  ): boolean {
    if (method === undefined || call === undefined || json === undefined) return false;
    const context = this.#context;
    const buffers: [number, Uint8Array][] = [];
    for (let i = 0; i + 1 < bufferHandles.length; i += 2) {
      const [index, bytes] = [bufferHandles[i] as QuickJSHandle, bufferHandles[i + 1] as QuickJSHandle];
      buffers.push([context.getNumber(index), this.#bytes(bytes)]);
    }
    return this.#host.pdk({
      method: context.getNumber(method),
      call: context.getNumber(call),
      json: context.getString(json),
      buffers,
    });
  }

  #served(
    operation: QuickJSHandle | undefined,
    argsJson: QuickJSHandle | undefined,
    bufferHandles: readonly QuickJSHandle[],
  ): QuickJSHandle {
    const context = this.#context;
    if (operation === undefined || argsJson === undefined) return context.undefined;
    try {
      const args = readArguments(context.getString(argsJson), []);
      const buffers = bufferHandles.map((handle) => this.#bytes(handle));
      const answer = performService(context.getString(operation), args, buffers);
      if ('bytes' in answer) return context.newArrayBuffer(exact(answer.bytes));
      return context.newString(JSON.stringify(answer.json));
    } catch (error) {
      // The library makes an error inside of this one's name and message, and of nothing else.
      throw error instanceof ServiceError ? error : new ServiceError('Error', 'the operation failed');
    }
  }

  #bytes(handle: QuickJSHandle): Uint8Array {
    const lifetime = this.#context.getArrayBuffer(handle);
    const copy = Uint8Array.from(lifetime.value);
    lifetime.dispose();
    return copy;
  }

  /** Calls one of the guest's own functions on behalf of a run; frees everything; false when it threw. */
  #call(fn: QuickJSHandle, run: number, args: QuickJSHandle[]): boolean {
    this.#memory.run = run;
    this.#memory.pollAfter(POLLS);
    const result = this.#context.callFunction(fn, this.#context.undefined, ...args);
    const failed = result.error !== undefined;
    (result.error ?? result.value).dispose();
    for (const arg of args) arg.dispose();
    return !failed;
  }

  #keep(handle: QuickJSHandle): QuickJSHandle {
    this.#handles.push(handle);
    return handle;
  }

  #evaluate(code: string, file: string): QuickJSHandle {
    return this.#unwrap(this.#context.evalCode(code, file));
  }

  #unwrap(result: CallResult): QuickJSHandle {
    if (result.error === undefined) return result.value;
    const shown: unknown = this.#context.dump(result.error);
    result.error.dispose();
    const { message, stack } = (shown ?? {}) as { message?: unknown; stack?: unknown };
    throw new IsolateError(`the engine did not take the code: ${String(message)} ${String(stack)}`);
  }
}

/** Node's buffers are windows on larger pools; the engine copies whole ArrayBuffers. */
function exact(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
