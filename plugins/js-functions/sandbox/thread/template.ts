import { Engine, type EngineCode, type EngineImage } from '../engine.js';
import { EngineContext, IsolateError } from './context.js';
import { GUEST_FILE, GUEST_SOURCE } from './guest/source.js';

/** An engine with the guest's own code in it and no program yet: what every isolate begins with. */
export interface GuestTemplate {
  readonly image: EngineImage;
  /** Pointers into its memory. */
  readonly at: Readonly<Record<'runtime' | 'context' | 'words' | (typeof PARTS)[number], number>>;
}

const PARTS = ['seed', 'define', 'start', 'settle', 'abandon'] as const;

/** Functions of the host, by the numbers under which the engine calls them. */
export const HOST_FUNCTIONS = ['', 'stop', 'pdk', 'done', 'service'] as const;

/** The engine's parts: base objects, Date, eval (for the host), regular expressions and their compiler, JSON, Proxy,
 * Map and Set, typed arrays, promises. Left out: String.prototype.normalize, BigInt, and what came after. */
const INTRINSICS = 1 | 2 | 4 | 16 | 32 | 64 | 128 | 256 | 512 | 1024;
const MEMORY_BYTES = 16 * 1024 * 1024;

/**
 * Where in a context's structure the engine counts down to its next look at the interrupt handler. It would look at every
 * 10,000th poll only; where a poll stands after an operation of a millisecond that is ten seconds, and a thread would
 * have to be ended for it.
 */
const COUNTDOWN_AT = 232;

/** Has the engine ask for leave to go on after so many polls. */
export function pollAfter(engine: Engine, context: number, polls: number): void {
  engine.bytes.writeInt32LE(polls, context + COUNTDOWN_AT);
}

/**
 * Makes what every guest begins with: done once, since it takes as long as many runs.
 *
 * @param methods the paths of the PDK's methods, and whether a call ends the run when its arguments cannot be taken
 * @throws IsolateError when the engine is not the one that this was written for
 */
export async function makeTemplate(
  code: EngineCode,
  methods: readonly (readonly [path: readonly string[], strict: boolean])[],
): Promise<GuestTemplate> {
  let looks = 0;
  const engine = await Engine.start(code, MEMORY_BYTES, {
    callFunction: () => 0,
    shouldInterrupt: () => {
      looks++;
      return false;
    },
  });
  const { fn } = engine;
  const runtime = fn._QTS_NewRuntime();
  const context = fn._QTS_NewContext(runtime, INTRINSICS);
  fn._QTS_RuntimeEnableInterruptHandler(runtime);
  const inside = new EngineContext(engine, context);
  const loop = () => inside.free(inside.evaluate('for (let i = 0; i < 9; i++);', GUEST_FILE));
  // A new context looks at its first poll, whatever it was told.
  loop();
  looks = 0;
  pollAfter(engine, context, 5);
  loop();
  if (looks !== 1)
    throw new IsolateError('the engine is built in another way: it does not look when it is told');

  const words = fn._malloc(8);
  engine.bytes.fill(0, words, words + 8);
  const buffer = fn._QTS_NewArrayBuffer(context, words, 8);
  const toWords = inside.evaluate('(function (buffer) { return new Int32Array(buffer); })', GUEST_FILE);
  const host = fn._QTS_NewObject(context);
  for (const [id, name] of HOST_FUNCTIONS.entries()) {
    if (name === '') continue;
    const text = engine.putText(name);
    const made = fn._QTS_NewFunction(context, text, 0, false, id);
    const key = fn._QTS_NewString(context, text);
    fn._QTS_SetProp(context, host, key, made);
    for (const value of [made, key]) inside.free(value);
    fn._free(text);
  }
  const factory = inside.evaluate(GUEST_SOURCE, GUEST_FILE);
  const given = [host, inside.result(toWords, [buffer]), inside.string(JSON.stringify(methods))];
  const api = inside.result(factory, given);
  const parts = Object.fromEntries(
    PARTS.map((name) => [name, fn._QTS_GetProp(context, api, inside.string(name))]),
  ) as Record<(typeof PARTS)[number], number>;
  engine.bytes.fill(0, words, words + 8);
  return { image: engine.image(), at: { runtime, context, words, ...parts } };
}
