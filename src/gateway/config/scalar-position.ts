import { Scalar } from 'yaml';

/** A place in a text: both count from 1, columns in UTF-16 units. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/**
 * Where in a YAML file something stands that is at `position` of a scalar's text, as an offset into the file.
 *
 * Exact for literal blocks (`|`) and for scalars on one line; for folded and flowing text, whose lines YAML joins,
 * undefined.
 *
 * @param yaml the file
 * @param scalar a string in it, with its range
 */
export function offsetInFile(yaml: string, scalar: Scalar, position: TextPosition): number | undefined {
  const start = scalar.range?.[0];
  const end = scalar.range?.[1];
  if (start === undefined || end === undefined) return undefined;
  if (scalar.type === Scalar.BLOCK_LITERAL) return inLiteral(yaml, start, end, position);
  const raw = yaml.slice(start, end);
  if (raw.includes('\n')) return undefined;
  if (scalar.type === Scalar.QUOTE_DOUBLE) return inDoubleQuotes(raw, start, position);
  if (position.line !== 1) return undefined;
  if (scalar.type === Scalar.QUOTE_SINGLE) {
    let at = 1;
    // An apostrophe is written as two.
    for (let column = 1; column < position.column; column++) at += raw[at] === "'" ? 2 : 1;
    return start + at;
  }
  return start + position.column - 1;
}

function inLiteral(
  yaml: string,
  start: number,
  end: number,
  { line, column }: TextPosition,
): number | undefined {
  const header = yaml.indexOf('\n', start);
  if (header < 0 || header >= end) return undefined;
  const lines = yaml.slice(header + 1, end).split('\n');
  const explicit = /[|][-+]?([1-9])/.exec(yaml.slice(start, header))?.[1];
  const first = lines.find((text) => text.trim() !== '') ?? '';
  const indent = explicit === undefined ? (/^ */.exec(first)?.[0].length ?? 0) : undefined;
  // An explicit indentation counts from the parent's, which the first line of the text does not tell.
  if (indent === undefined || line > lines.length) return undefined;
  let offset = header + 1;
  for (const text of lines.slice(0, line - 1)) offset += text.length + 1;
  return offset + Math.min(indent + column - 1, (lines[line - 1] ?? '').length);
}

function inDoubleQuotes(raw: string, start: number, position: TextPosition): number {
  let at = 1;
  let line = 1;
  let column = 1;
  while (at < raw.length - 1 && (line < position.line || column < position.column)) {
    const escaped = /^\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/.exec(raw.slice(at, at + 10));
    if (escaped?.[1] === 'n') {
      if (line === position.line) break;
      line++;
      column = 1;
    } else {
      column++;
    }
    at += escaped?.[0].length ?? 1;
  }
  return start + at;
}
