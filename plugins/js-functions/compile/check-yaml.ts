import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml';
import { compileCheck } from './compile.js';
import { offsetInFile } from './yaml-positions.js';

/** A function in a declarative config that does not compile. Line and column are the file's and count from 1. */
export interface FunctionProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The plugins whose configuration holds functions, and the fields that do. */
const FUNCTION_FIELDS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['js-pre-function', ['certificate', 'rewrite', 'access', 'log']],
  ['js-post-function', ['certificate', 'rewrite', 'access', 'log']],
  ['js-response-function', ['response']],
]);

/**
 * Compiles every function in a declarative config, running none. What is no valid YAML or has no such functions gives
 * no problems.
 *
 * @param file the name that problems carry
 */
export function functionProblems(text: string, file: string): FunctionProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) return [];
  const problems: FunctionProblem[] = [];
  const checkField = (plugin: string, config: YAMLMap, field: string) => {
    const list = config.get(field, true);
    if (!isSeq(list)) return;
    for (const [index, item] of list.items.entries()) {
      if (!isScalar(item) || typeof item.value !== 'string') continue;
      const fault = compileCheck(item.value);
      if (fault === undefined) continue;
      const offset = offsetInFile(text, item, fault);
      const { line, col } = lines.linePos(offset ?? item.range?.[0] ?? 0);
      const inside =
        offset === undefined ? ` (line ${fault.line}, column ${fault.column} of the function)` : '';
      problems.push({
        file,
        line,
        column: col,
        message: `plugin "${plugin}": config.${field}[${index}]: ${fault.message}${inside}`,
      });
    }
  };
  visit(document, {
    Map(_, node) {
      const name = node.get('name');
      const config = node.get('config', true);
      if (!isMap(config)) return;
      for (const field of FUNCTION_FIELDS.get(name) ?? []) checkField(String(name), config, field);
    },
  });
  return problems;
}
