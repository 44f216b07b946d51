import { compileEngine, Engine } from '../sandbox/engine.js';

/** Compiling needs little; what needs more is no configuration. */
const MEMORY_BYTES = 64 * 1024 * 1024;
const STACK_BYTES = 128 * 1024;
/** All that the language has. */
const INTRINSICS = 0;
/** JS_EVAL_FLAG_COMPILE_ONLY */
const COMPILE_ONLY = 32;

/** An error of the engine's over a source; the place is the engine's: from 1, in characters. */
export interface EngineFault {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/**
 * The engine as it judges syntax: code is compiled in it and not run. Starting an engine takes a turn of the event loop
 * and instances are refused at once, so one is ready, and once it is used another beside it for when it goes down.
 */
const engineCode = compileEngine();
const ready: Engine[] = [await newEngine()];
/** Engines that are ready or about to be. */
let engines = 1;

function newEngine(): Promise<Engine> {
  return Engine.start(engineCode, MEMORY_BYTES, { callFunction: () => 0, shouldInterrupt: () => false });
}

function keepTwo(): void {
  while (engines < 2) {
    engines++;
    newEngine().then(
      (engine) => ready.push(engine),
      (error: Error) => {
        engines--;
        process.emitWarning(`no engine to check functions could be started: ${error.message}`);
      },
    );
  }
}

/** What the engine says against a source; undefined: nothing. */
export function engineFault(source: string): EngineFault | undefined {
  keepTwo();
  const [engine] = ready;
  if (engine === undefined)
    return { message: 'the engine is being started again, try later', line: 1, column: 1 };
  try {
    return compileIn(engine, source);
  } catch {
    // The engine went down over this source; the next one is judged by another.
    ready.shift();
    engines--;
    keepTwo();
    return { message: 'SyntaxError: nested too deeply', line: 1, column: 1 };
  }
}

function compileIn(engine: Engine, source: string): EngineFault | undefined {
  const { fn } = engine;
  const runtime = fn._QTS_NewRuntime();
  fn._QTS_RuntimeSetMemoryLimit(runtime, MEMORY_BYTES);
  fn._QTS_RuntimeSetMaxStackSize(runtime, STACK_BYTES);
  const context = fn._QTS_NewContext(runtime, INTRINSICS);
  const [text, file] = [engine.putText(source), engine.putText('function')];
  const value = fn._QTS_Eval(context, text, Buffer.byteLength(source), file, 0, COMPILE_ONLY);
  const error = fn._QTS_ResolveException(context, value);
  const said = error === 0 ? undefined : engine.textAt(fn._QTS_Dump(context, error));
  if (error !== 0) fn._QTS_FreeValuePointer(context, error);
  fn._QTS_FreeValuePointer(context, value);
  fn._free(text);
  fn._free(file);
  fn._QTS_FreeContext(context);
  fn._QTS_FreeRuntime(runtime);
  if (said === undefined) return undefined;
  const { name, message, stack } = JSON.parse(said) as Record<string, unknown>;
  const place = /function:(\d+):(\d+)/.exec(String(stack));
  return {
    message: `${String(name)}: ${String(message)}`,
    line: Number(place?.[1] ?? 1),
    column: Number(place?.[2] ?? 1),
  };
}
