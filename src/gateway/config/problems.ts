import type { LineCounter } from 'yaml';

/** A fault in a declarative config. Line and column count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `file:line:column: message`, as editors and terminals link it. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** Anything that knows where in the text it stands: a YAML node. */
export interface Located {
  range?: readonly [number, number, number] | null | undefined;
}

/** Collects every fault of one file instead of stopping at the first. */
export class ProblemList {
  readonly list: Problem[] = [];

  constructor(
    private readonly file: string,
    private readonly lines: LineCounter,
  ) {}

  add(where: Located | null | undefined, message: string): void {
    this.addAt(where?.range?.[0] ?? 0, message);
  }

  /** @param offset characters from the start of the file */
  addAt(offset: number, message: string): void {
    const { line, col } = this.lines.linePos(offset);
    this.list.push({ file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), message });
  }
}
