import type { AnyNode, ForOfStatement, ReturnStatement, ThrowStatement } from 'acorn';
import { type Insertion, positionAt } from './positions.js';

/** The engine's parser works by recursion and does not see the end of the host's stack: what nests deeper is refused. */
const MOST_NESTING = 250;
export const TOO_DEEP = 'SyntaxError: nested too deeply';

/** What the calls that are inserted are named. */
export type Names = Readonly<Record<'suspend' | 'resume' | 'token' | 'restore' | 'thrown', string>>;

/** Collects the insertions, and refuses what the sandbox does not have. */
export class Rewriter {
  readonly insertions: Insertion[] = [];
  mayReturnFunction = false;
  readonly #text: string;
  readonly #start: number;
  readonly #names: Names;
  readonly #fail: (reason: string, at: number) => never;
  /** Functions around the node at hand. */
  #depth = 0;
  #nesting = 0;
  #loops = 0;
  /** Where the labels before the statement at hand begin. */
  #labelled: number | undefined;

  /**
   * @param start where in the text the source begins
   * @param fail throws for a place in the text
   */
  constructor(text: string, start: number, names: Names, fail: (reason: string, at: number) => never) {
    this.#text = text;
    this.#start = start;
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
    this.insertions.push({ at: at - this.#start, text });
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
    const { line, column } = positionAt(this.#text.slice(this.#start), node.start - this.#start);
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
