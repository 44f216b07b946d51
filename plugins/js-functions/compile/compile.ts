import { LRUCache } from 'lru-cache';
import { newQuickJSWASMModule } from 'quickjs-emscripten';
import { CompileError } from '../errors.js';
import type { Position } from './positions.js';
import { type TransformedSource, transformSource } from './transform.js';

/** A fault in a function's source. */
export interface CompileFault extends Position {
  readonly message: string;
}

/** Compiling needs little; what needs more is no configuration. */
const CHECK_MEMORY_BYTES = 64 * 1024 * 1024;
const CHECK_STACK_BYTES = 128 * 1024;

/** The engine as it judges syntax. Instances are refused synchronously, so it is loaded with this module. */
const engine = await newQuickJSWASMModule();

/** Kong starts an instance per worker: the same strings come again and again. */
const compiled = new LRUCache<string, TransformedSource>({
  maxSize: 16 * 1024 * 1024,
  sizeCalculation: (_, source) => source.length * 2 + 1,
});

/**
 * Compiles a string of the configuration without running it.
 *
 * @throws CompileError
 */
export function compileFunction(source: string): TransformedSource {
  let result = compiled.get(source);
  if (result === undefined) {
    result = transformSource(source);
    checkSyntax(result);
    compiled.set(source, result);
  }
  return result;
}

/** Compiles a string without running it; the first fault, or undefined. */
export function compileCheck(source: string): CompileFault | undefined {
  try {
    compileFunction(source);
    return undefined;
  } catch (error) {
    if (error instanceof CompileError) return { ...error.position, message: error.reason };
    throw error;
  }
}

/** What the TypeScript parser lets pass, redeclarations for instance, the engine finds. */
function checkSyntax({ edited }: TransformedSource): void {
  const runtime = engine.newRuntime({
    memoryLimitBytes: CHECK_MEMORY_BYTES,
    maxStackSizeBytes: CHECK_STACK_BYTES,
  });
  const context = runtime.newContext();
  try {
    const result = context.evalCode(edited.text, 'function', { compileOnly: true });
    if (result.error === undefined) {
      result.value.dispose();
      return;
    }
    const shown = context.dump(result.error) as { name?: unknown; message?: unknown; stack?: unknown };
    result.error.dispose();
    const place = /function:(\d+):(\d+)/.exec(String(shown.stack));
    throw new CompileError(
      `${String(shown.name)}: ${String(shown.message)}`,
      edited.originalPosition(Number(place?.[1] ?? 1), Number(place?.[2] ?? 1)),
    );
  } finally {
    context.dispose();
    runtime.dispose();
  }
}
