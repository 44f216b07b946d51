import type { LineCounter } from 'yaml';

/** A fault in a declarative config, or a note. Line and column count from 1. */
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

/** Collects everything there is to say about one file instead of stopping at the first fault. */
export class ProblemList {
  /** What Kong refuses. */
  readonly list: Problem[] = [];
  /** What is not checked, or not emulated by the local gateway. */
  readonly notes: Problem[] = [];

  constructor(
    private readonly file: string,
    private readonly lines: LineCounter,
  ) {}

  add(where: Located | null | undefined, message: string): void {
    this.addAt(where?.range?.[0] ?? 0, message);
  }

  /** @param offset characters from the start of the file */
  addAt(offset: number, message: string): void {
    this.list.push(this.#problem(offset, message));
  }

  noteAt(offset: number, message: string): void {
    this.notes.push(this.#problem(offset, message));
  }

  /** Everything in the order of the file. */
  sort(): void {
    for (const problems of [this.list, this.notes]) {
      problems.sort((a, b) => a.line - b.line || a.column - b.column);
    }
  }

  #problem(offset: number, message: string): Problem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  }
}
