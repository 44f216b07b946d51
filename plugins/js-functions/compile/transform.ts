import {
  type AnyNode,
  type ForOfStatement,
  type Program,
  parse,
  type ReturnStatement,
  type ThrowStatement,
} from 'acorn';
import { CompileError } from '../errors.js';
import { EditedText, type Insertion, positionAt } from './positions.js';
import { stripTypes } from './strip-types.js';

/** The engine's parser works by recursion and does not see the end of the host's stack: what nests deeper is refused. */
const MOST_NESTING = 250;
const TOO_DEEP = 'SyntaxError: nested too deeply';

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
  const rewriter = new Rewriter(wrapped, names, fail);
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

type Names = Readonly<Record<'suspend' | 'resume' | 'token' | 'restore' | 'thrown', string>>;

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

/** Collects the insertions, and refuses what the sandbox does not have. */
class Rewriter {
  readonly insertions: Insertion[] = [];
  mayReturnFunction = false;
  readonly #text: string;
  readonly #names: Names;
  readonly #fail: (reason: string, at: number) => never;
  /** Functions around the node at hand. */
  #depth = 0;
  #nesting = 0;
  #loops = 0;
  /** Where the labels before the statement at hand begin. */
  #labelled: number | undefined;

  constructor(text: string, names: Names, fail: (reason: string, at: number) => never) {
    this.#text = text;
    this.#names = names;
    this.#fail = fail;
  }

  visit(node: AnyNode): void {
    if (++this.#nesting > MOST_NESTING) this.#fail(TOO_DEEP, node.start);
    this.#visitInner(node);
    this.#nesting--;
  }

  #visitInner(node: AnyNode): void {
    this.#refuse(node);
    const outerStart = this.#labelled ?? node.start;
    this.#labelled = node.type === 'LabeledStatement' ? outerStart : undefined;
    if (node.type === 'AwaitExpression') {
      const { suspend, resume } = this.#names;
      this.#insert(node.start, `${resume}(`);
      this.#insert(node.argument.start, `${suspend}(`);
      this.#insert(node.end, '))');
    } else if (node.type === 'ForOfStatement' && node.await) this.#awaitingLoop(node, outerStart);
    else if (node.type === 'ThrowStatement') this.#throwing(node);
    else if (node.type === 'ReturnStatement' && this.#depth === 0) this.#returning(node);
    const inner = /Function|StaticBlock/.test(node.type);
    if (inner) this.#depth++;
    for (const child of childrenOf(node)) {
      // A label's name stands between it and its statement.
      if (node.type === 'LabeledStatement' && child !== node.body) continue;
      // Chains such as a + b + c and a.b().c() nest in the tree only.
      if (isChainedOn(node, child)) this.#visitInner(child);
      else this.visit(child);
    }
    if (inner) this.#depth--;
  }

  #insert(at: number, text: string): void {
    this.insertions.push({ at: at - HEAD.length, text });
  }

  #refuse(node: AnyNode): void {
    const refuse = (what: string) => this.#fail(`${what} not available in functions`, node.start);
    if (node.type === 'ImportExpression') refuse('modules are');
    if (node.type === 'MetaProperty' && node.meta.name === 'import') refuse('modules are');
    if (node.type === 'Literal' && typeof node.bigint === 'string') refuse('BigInt is');
    if (node.type === 'VariableDeclaration' && /using/.test(node.kind)) refuse('using is');
  }

  /** The engine's own awaits in `for await` lose track: the loop's body and what follows it get it back. */
  #awaitingLoop(node: ForOfStatement, outerStart: number): void {
    const { suspend, token, restore } = this.#names;
    const kept = `${suspend.slice(0, -1)}${this.#loops++}`;
    this.#insert(outerStart, `{const ${kept}=${token}();try{`);
    this.#insert(node.body.start, `{${restore}(${kept});`);
    this.#insert(node.body.end, '}');
    this.#insert(node.end, `}finally{${restore}(${kept});}}`);
  }

  /** What is not made on the spot by `new` may have no stack: where it is thrown is noted. */
  #throwing(node: ThrowStatement): void {
    if (node.argument.type === 'NewExpression') return;
    const { line, column } = positionAt(this.#text.slice(HEAD.length), node.start - HEAD.length);
    this.#insert(node.argument.start, `${this.#names.thrown}(${line},${column},(`);
    this.#insert(node.argument.end, '))');
  }

  #returning(node: ReturnStatement): void {
    let value: AnyNode | null | undefined = node.argument;
    while (value?.type === 'ParenthesizedExpression' || value?.type === 'AwaitExpression') {
      value = value.type === 'AwaitExpression' ? value.argument : value.expression;
    }
    if (!value || value.type === 'Literal') return;
    const called =
      value.type === 'CallExpression' ? this.#text.slice(value.callee.start, value.callee.end) : '';
    if (!/^kong\.response\.(exit|error)$/.test(called)) this.mayReturnFunction = true;
  }
}

function* childrenOf(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node) as unknown[]) {
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) yield* value.filter(isNode);
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function isChainedOn(node: AnyNode, child: AnyNode): boolean {
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
      return node.left === child;
    case 'MemberExpression':
      return node.object === child;
    case 'CallExpression':
      return node.callee === child;
    case 'ChainExpression':
      return true;
    default:
      return false;
  }
}
