import { createRequire } from 'node:module';
import { CompileError } from '../errors.js';

type Stripper = typeof import('@swc/wasm-typescript');

/** What the stripper throws for source that it does not take: lines count from 1, columns from 0, in characters. */
interface StripFault {
  readonly code: string;
  readonly message: string;
  readonly startLine: number;
  readonly startColumn: number;
}

const PACKAGE = '@swc/wasm-typescript';
const require = createRequire(import.meta.url);
let stripper: Stripper | undefined;

/** TypeScript that is more than types, by what the stripper says about it. */
const MORE_THAN_TYPES: readonly (readonly [RegExp, string])[] = [
  [/ enum /, 'an enum'],
  [/namespace|module/, 'a namespace'],
  [/parameter property/, 'a parameter property'],
  [/import|export/, 'import = or export ='],
  [/angle-bracket/, 'a type assertion in angle brackets'],
];

/**
 * Blanks the types in a script, so that everything keeps its place.
 *
 * @throws CompileError with the place in the script, for what does not parse and for TypeScript that is more than types
 */
export function stripTypes(script: string): string {
  // Loaded when it is first needed: it is large, and asking a plugin for its schema does not need it.
  stripper ??= require(PACKAGE) as Stripper;
  try {
    return stripper.transformSync(script, { mode: 'strip-only', module: false }).code;
  } catch (error) {
    const { code, message, startLine, startColumn } = error as StripFault;
    if (code !== 'UnsupportedSyntax' && code !== 'InvalidSyntax') {
      // It went down over this source, for its depth most likely, and does not get up again: the next one is new.
      stripper = undefined;
      delete require.cache[require.resolve(PACKAGE)];
      throw new CompileError('SyntaxError: nested too deeply', { line: 1, column: 1 });
    }
    const line = script.split('\n')[startLine - 1] ?? '';
    const column = [...line].slice(0, startColumn).join('').length + 1;
    throw new CompileError(reasonOf(code, message), { line: startLine, column });
  }
}

function reasonOf(code: string, message: string): string {
  if (/outside of module code/.test(message)) return 'modules are not available in functions';
  if (code === 'InvalidSyntax') return `SyntaxError: ${message}`;
  const what = MORE_THAN_TYPES.find(([said]) => said.test(message))?.[1] ?? 'this TypeScript syntax';
  return `${what} cannot be turned into JavaScript by leaving types out`;
}
