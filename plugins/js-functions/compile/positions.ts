/** A place in a text: both count from 1, columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something put into a text in front of the character at `at` (an offset in the original). */
export interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** An edited text, and the way back from it to the original. */
export class EditedText {
  readonly text: string;
  readonly #original: string;
  readonly #insertions: readonly Insertion[];

  /**
   * @param insertions in any order; those at one place keep theirs
   * @param shown what positions are in, where that is another text of the same layout: the one before it was blanked
   */
  constructor(original: string, insertions: readonly Insertion[], shown = original) {
    this.#original = shown;
    this.#insertions = insertions.toSorted((a, b) => a.at - b.at);
    let text = '';
    let from = 0;
    for (const { at, text: inserted } of this.#insertions) {
      text += original.slice(from, at) + inserted;
      from = at;
    }
    this.text = text + original.slice(from);
  }

  /**
   * Where in the original something stands that is at `line` and `column` of the edited text.
   *
   * @param column counted in characters, not UTF-16 units, as QuickJS counts
   */
  originalPosition(line: number, column: number): Position {
    let lineStart = 0;
    for (let i = 1; i < line; i++) {
      const next = this.text.indexOf('\n', lineStart);
      if (next < 0) break;
      lineStart = next + 1;
    }
    const rest = this.text.slice(lineStart, lineStart + column * 2);
    const units = [...rest].slice(0, Math.max(column - 1, 0)).join('').length;
    return positionAt(this.#original, this.#originalOffset(lineStart + units));
  }

  #originalOffset(edited: number): number {
    let shift = 0;
    for (const { at, text } of this.#insertions) {
      if (at + shift > edited) break;
      // Inside what was inserted: the place it was inserted at.
      if (edited < at + shift + text.length) return at;
      shift += text.length;
    }
    return Math.min(edited - shift, this.#original.length);
  }
}

/** The line and column of an offset in a text. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}
