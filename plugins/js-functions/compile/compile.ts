import { LRUCache } from 'lru-cache';
import { CompileError } from '../errors.js';
import { engineFault } from './judge.js';
import type { Position } from './positions.js';
import { type TransformedSource, transformSource } from './transform.js';

/** A fault in a function's source. */
export interface CompileFault extends Position {
  readonly message: string;
}

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

/** What the parser lets pass, the engine may not: it is the one that runs it. */
function checkSyntax({ edited }: TransformedSource): void {
  const fault = engineFault(edited.text);
  if (fault !== undefined) {
    throw new CompileError(fault.message, edited.originalPosition(fault.line, fault.column));
  }
}
