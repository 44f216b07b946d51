import { type AnyNode, type Program, parse } from 'acorn';
import { CompileError } from '../errors.js';
import { EditedText, positionAt } from './positions.js';
import { type Names, Rewriter, TOO_DEEP } from './rewriter.js';
import { stripTypes } from './strip-types.js';

/** A function's source made ready for the isolate. */
export interface TransformedSource {
  readonly edited: EditedText;
  /** Whether the source has a `return` of its own that could return a function. */
  readonly mayReturnFunction: boolean;
}

const INNER_HEAD = 'async function () {';
/** What a source is parsed in: the same as what the engine gets around it, but for the names. */
const HEAD = `(() => { 'use strict'; return ${INNER_HEAD}`;
const TAIL = '\n}})';

/**
 * Turns a string of the configuration, JavaScript or TypeScript, into an expression for the isolate:
 * `(suspend, resume, token, restore, thrown) => async function`, with the source as the function's body.
 *
 * Types are blanked, so that everything keeps its place; what is left is parsed as the engine parses it. `await` gets
 * the calls that keep track of which request is being served (see ../sandbox/thread/guest/runs.ts); nothing else is
 * changed.
 *
 * @throws CompileError for source that does not parse, and for syntax that the sandbox does not have
 */
export function transformSource(source: string): TransformedSource {
  try {
    return transform(source);
  } catch (error) {
    // The parser works by recursion.
    if (error instanceof RangeError) throw new CompileError(TOO_DEEP, { line: 1, column: 1 });
    throw error;
  }
}

function transform(source: string): TransformedSource {
  const stripped = withoutTypes(source);
  const fail = (reason: string, at: number): never => {
    const offset = Math.min(Math.max(at - HEAD.length, 0), source.length);
    throw new CompileError(reason, positionAt(source, offset));
  };
  const wrapped = `${HEAD}${stripped}${TAIL}`;
  const { program, identifiers } = parseScript(wrapped, fail);
  const body = onlyBody(program, wrapped) ?? fail('SyntaxError: unexpected }', wrapped.length);
  const names = namesBeside(identifiers);
  const rewriter = new Rewriter(wrapped, HEAD.length, names, fail);
  for (const statement of body) rewriter.visit(statement);
  const parameters = Object.values(names).join(', ');
  return {
    edited: new EditedText(
      stripped,
      [
        { at: 0, text: `((${parameters}) => { 'use strict'; return ${INNER_HEAD}` },
        ...rewriter.insertions,
        { at: stripped.length, text: TAIL },
      ],
      source,
    ),
    mayReturnFunction: rewriter.mayReturnFunction,
  };
}

function withoutTypes(source: string): string {
  const head = `(${INNER_HEAD}`;
  try {
    const stripped = stripTypes(`${head}${source}\n})`);
    return stripped.slice(head.length, stripped.lastIndexOf('\n})'));
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const { line, column } = error.position;
    const lines = source.split('\n');
    if (line > lines.length) {
      throw new CompileError(error.reason, positionAt(source, source.length));
    }
    throw new CompileError(error.reason, {
      line,
      column: Math.max(line === 1 ? column - head.length : column, 1),
    });
  }
}

/** Parses as the engine does: HTML-like comments and all; `identifiers` as they read once their escapes are undone. */
function parseScript(text: string, fail: (reason: string, at: number) => never) {
  const identifiers = new Set<string>();
  try {
    const program = parse(text, {
      ecmaVersion: 'latest',
      sourceType: 'script',
      preserveParens: true,
      onToken: (token) => {
        const { value } = token as { readonly value?: unknown };
        if (typeof value === 'string') identifiers.add(value);
      },
    });
    return { program, identifiers };
  } catch (error) {
    const { message, pos } = error as SyntaxError & { pos?: number };
    if (pos === undefined) throw error;
    if (text[pos] === '@') return fail('decorators are not available in functions', pos);
    return fail(`SyntaxError: ${message.replace(/ \(\d+:\d+\)$/, '')}`, pos);
  }
}

/** The statements that the source was wrapped in, unless the source closed what is around it and went on. */
function onlyBody({ body: [outer, ...more] }: Program, wrapped: string): readonly AnyNode[] | undefined {
  if (more.length > 0 || outer?.type !== 'ExpressionStatement' || outer.end !== wrapped.length) return;
  const inner = outer.expression.type === 'ParenthesizedExpression' ? outer.expression.expression : undefined;
  if (inner?.type !== 'ArrowFunctionExpression' || inner.body.type !== 'BlockStatement') return;
  const [, returned, ...rest] = inner.body.body;
  if (rest.length > 0 || returned?.type !== 'ReturnStatement') return;
  const made = returned.argument;
  if (made?.type !== 'FunctionExpression' || made.end !== wrapped.length - TAIL.length + 2) return;
  return made.body.body;
}

/** Names that begin like none of the source's own. */
function namesBeside(identifiers: ReadonlySet<string>): Names {
  let stem = '$kong';
  while ([...identifiers].some((name) => name.includes(stem))) stem += '_';
  return {
    suspend: `${stem}S`,
    resume: `${stem}R`,
    token: `${stem}T`,
    restore: `${stem}C`,
    thrown: `${stem}X`,
  };
}
