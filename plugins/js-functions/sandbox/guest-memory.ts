import type { QuickJSContext, QuickJSHandle, QuickJSWASMModule } from 'quickjs-emscripten';

/** The parts of quickjs-emscripten's objects that its types keep private. Checked by {@link findPollCounter}. */
interface ContextInternals {
  readonly ctx: { readonly value: number };
  readonly memory: {
    newHeapBufferPointer(bytes: Uint8Array): { readonly value: { readonly pointer: number } };
    heapValueHandle(pointer: number): QuickJSHandle;
  };
  readonly ffi: { QTS_NewArrayBuffer(ctx: number, pointer: number, length: number): number };
}

/** What QuickJS sets its counter to whenever it asks the interrupt handler (JS_INTERRUPT_COUNTER_INIT). */
const COUNTER_START = 10_000;
/** How much of the context's structure is searched for the counter, in 32-bit words. */
const SEARCHED_WORDS = 512;

/**
 * The two numbers that host and isolate share, in the engine's memory: the run in progress, which guest code writes,
 * and the engine's countdown to its next look at the interrupt handler, which the host shortens.
 *
 * QuickJS asks its handler at every 10,000th poll only. Where a poll stands after the comparison of two strings of
 * megabytes that is minutes, so the countdown is set to far less each time.
 */
export class GuestMemory {
  readonly #memory: { readonly buffer: ArrayBuffer };
  readonly #runAt: number;
  readonly #counterAt: number | undefined;
  #view: Int32Array;
  /** The ArrayBuffer over the shared number, to be handed to the guest and disposed. */
  readonly buffer: QuickJSHandle;

  /** @param counterOffset from {@link findPollCounter} */
  constructor(module: QuickJSWASMModule, context: QuickJSContext, counterOffset: number | undefined) {
    const internals = internalsOf(context);
    this.#memory = module.getWasmMemory();
    const { pointer } = internals.memory.newHeapBufferPointer(new Uint8Array(8)).value;
    this.buffer = internals.memory.heapValueHandle(
      internals.ffi.QTS_NewArrayBuffer(internals.ctx.value, pointer, 8),
    );
    this.#runAt = pointer >> 2;
    this.#counterAt = counterOffset === undefined ? undefined : (internals.ctx.value + counterOffset) >> 2;
    this.#view = new Int32Array(this.#memory.buffer);
  }

  /** The run in progress; 0: unknown. */
  get run(): number {
    return this.#words()[this.#runAt] ?? 0;
  }

  set run(id: number) {
    this.#words()[this.#runAt] = id;
  }

  /** Makes the engine ask its interrupt handler after this many polls. */
  pollAfter(polls: number): void {
    if (this.#counterAt !== undefined) this.#words()[this.#counterAt] = polls;
  }

  #words(): Int32Array {
    // Growing the memory detaches every view of it.
    if (this.#view.length === 0) this.#view = new Int32Array(this.#memory.buffer);
    return this.#view;
  }
}

/**
 * Finds where in a context's structure the engine counts its polls: the word that is back at its start whenever the
 * handler is asked, and that decides when the handler is asked again.
 *
 * @returns the offset in bytes, or undefined where this build of the engine has it elsewhere (limits then hold, but
 *   take longer to bite)
 */
export function findPollCounter(module: QuickJSWASMModule): number | undefined {
  const runtime = module.newRuntime();
  const context = runtime.newContext();
  const probe = new GuestMemory(module, context, undefined);
  try {
    const at = internalsOf(context).ctx.value >> 2;
    let candidates: number[] = [];
    let last = 0;
    let asked = 0;
    let found: number | undefined;
    const shortened = 500;
    runtime.setInterruptHandler(() => {
      const words = new Int32Array(module.getWasmMemory().buffer);
      const passed = probe.run - last;
      last = probe.run;
      if (asked === 0) {
        for (let i = 0; i < SEARCHED_WORDS; i++) if (words[at + i] === COUNTER_START) candidates.push(i);
      } else if (found === undefined) {
        // The loop below goes round once a poll: a countdown that was shortened shows in how often it went round.
        const tried = candidates[0];
        if (tried !== undefined && passed > 0 && passed <= shortened * 2) found = tried;
        else candidates = candidates.slice(1);
      }
      asked++;
      if (found !== undefined || candidates.length === 0 || asked > 50) return true;
      words[at + (candidates[0] as number)] = shortened;
      return false;
    });
    const factory = context.unwrapResult(
      context.evalCode('(function (b) { const w = new Int32Array(b); for (;;) w[0]++; })'),
    );
    context.callFunction(factory, context.undefined, probe.buffer).dispose();
    factory.dispose();
    return found === undefined ? undefined : found * 4;
  } finally {
    probe.buffer.dispose();
    context.dispose();
    runtime.dispose();
  }
}

function internalsOf(context: QuickJSContext): ContextInternals {
  return context as unknown as ContextInternals;
}
