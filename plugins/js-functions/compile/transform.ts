import type * as TS from 'typescript';
import { CompileError } from '../errors.js';
import { EditedText, type Insertion, positionAt } from './positions.js';
import { type TypeTools, typeTools } from './typescript.js';

/** The engine's parser works by recursion, too, and does not see the end of the stack: what nests deeper is refused. */
/** The engine compares plain characters in a row without a look at the clock, so there must not be too many. */
const MAX_PATTERN = 16_384;

const MOST_NESTING = 250;
const TOO_DEEP = 'SyntaxError: nested too deeply';

/** A function's source made ready for the isolate. */
export interface TransformedSource {
  readonly edited: EditedText;
  /** Whether the source has a `return` of its own that could return a function. */
  readonly mayReturnFunction: boolean;
}

/**
 * Turns a string of the configuration, JavaScript or TypeScript, into an expression for the isolate:
 * `(suspend, resume, token, restore, thrown) => async function`, with the source as the function's body.
 *
 * Types are blanked, so that everything keeps its place. `await` gets the calls that keep track of which request is
 * being served (see ../sandbox/guest/runs.ts); nothing else is changed.
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
  const tools = typeTools();
  const { ts } = tools;
  const head = 'async function () {';
  const wrapped = `(${head}${source}\n})`;
  const offset = head.length + 1;
  const fail = (reason: string, at: number): never => {
    throw new CompileError(reason, positionAt(source, Math.min(Math.max(at - offset, 0), source.length)));
  };
  const file = ts.createSourceFile(
    'function.ts',
    wrapped,
    {
      languageVersion: ts.ScriptTarget.ESNext,
      impliedNodeFormat: ts.ModuleKind.ESNext,
      jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
    },
    true,
    ts.ScriptKind.TS,
  );
  const [problem] = (file as unknown as { parseDiagnostics: TS.DiagnosticWithLocation[] }).parseDiagnostics;
  if (problem !== undefined) {
    fail(`SyntaxError: ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`, problem.start);
  }
  const body = onlyBody(ts, file, wrapped) ?? fail('SyntaxError: unexpected }', wrapped.length);
  let unsupported: TS.Node | undefined;
  const blanked = tools.blankSourceFile(file, (node) => {
    unsupported ??= node;
  });
  if (unsupported !== undefined) {
    fail(
      `${describeTypeScript(tools, unsupported)} cannot be turned into JavaScript by leaving types out`,
      unsupported.getStart(file),
    );
  }
  const names = namesFor(source);
  const rewriter = new Rewriter(ts, file, offset, names, fail);
  rewriter.visit(body);
  const prefix = `(${names.all.join(', ')}) => { 'use strict'; return ${head}`;
  return {
    edited: new EditedText(blanked.slice(offset, offset + source.length), [
      { at: 0, text: `(${prefix}` },
      ...rewriter.insertions,
      { at: source.length, text: '\n}})' },
    ]),
    mayReturnFunction: rewriter.mayReturnFunction,
  };
}

/** The body of the function that the source was wrapped in, unless the source closed it and went on. */
function onlyBody(ts: TypeTools['ts'], file: TS.SourceFile, wrapped: string): TS.Block | undefined {
  const [statement] = file.statements;
  if (file.statements.length !== 1 || statement === undefined || !ts.isExpressionStatement(statement)) return;
  const { expression } = statement;
  if (!ts.isParenthesizedExpression(expression) || expression.end !== wrapped.length) return;
  if (!ts.isFunctionExpression(expression.expression)) return;
  return expression.expression.end === wrapped.length - 1 ? expression.expression.body : undefined;
}

function describeTypeScript({ ts }: TypeTools, node: TS.Node): string {
  if (ts.isEnumDeclaration(node)) return 'an enum';
  if (ts.isModuleDeclaration(node)) return 'a namespace';
  if (ts.isParameter(node)) return 'a parameter property';
  if (ts.isImportEqualsDeclaration(node) || ts.isExportAssignment(node)) return 'import = or export =';
  if (ts.isTypeAssertionExpression(node)) return 'a type assertion in angle brackets';
  return 'this TypeScript syntax';
}

interface Names {
  readonly suspend: string;
  readonly resume: string;
  readonly token: string;
  readonly restore: string;
  readonly thrown: string;
  readonly all: readonly string[];
  readonly stem: string;
}

/** Names that the source does not contain. */
function namesFor(source: string): Names {
  let stem = '$kong';
  while (source.includes(stem)) stem += '_';
  const [suspend, resume, token, restore, thrown] = ['S', 'R', 'T', 'C', 'X'].map((end) => stem + end) as [
    string,
    string,
    string,
    string,
    string,
  ];
  return { suspend, resume, token, restore, thrown, all: [suspend, resume, token, restore, thrown], stem };
}

/** Collects the insertions, and refuses what the sandbox does not have. */
class Rewriter {
  readonly insertions: Insertion[] = [];
  mayReturnFunction = false;
  readonly #ts: TypeTools['ts'];
  readonly #file: TS.SourceFile;
  readonly #offset: number;
  readonly #names: Names;
  readonly #fail: (reason: string, at: number) => never;
  /** Functions around the node at hand. */
  #depth = 0;
  #nesting = 0;
  #loops = 0;

  constructor(
    ts: TypeTools['ts'],
    file: TS.SourceFile,
    offset: number,
    names: Names,
    fail: (reason: string, at: number) => never,
  ) {
    this.#ts = ts;
    this.#file = file;
    this.#offset = offset;
    this.#names = names;
    this.#fail = fail;
  }

  visit(node: TS.Node): void {
    if (++this.#nesting > MOST_NESTING) this.#fail(TOO_DEEP, this.#start(node));
    this.#visitInner(node);
    this.#nesting--;
  }

  #visitInner(node: TS.Node): void {
    const ts = this.#ts;
    this.#refuse(node);
    // Types are blank by now; what they contain means nothing.
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
      if (!ts.isExpressionWithTypeArguments(node)) return;
    }
    if (ts.isAwaitExpression(node)) this.#awaiting(node);
    else if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) this.#awaitingLoop(node);
    else if (ts.isThrowStatement(node)) this.#throwing(node);
    else if (ts.isReturnStatement(node) && this.#depth === 0) this.#returning(node);
    const inner = ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node);
    if (inner) this.#depth++;
    ts.forEachChild(node, (child) => {
      // Chains such as a + b + c and a.b().c() nest in the tree only.
      if (isChainedOn(ts, node, child)) this.#visitInner(child);
      else this.visit(child);
    });
    if (inner) this.#depth--;
  }

  #insert(at: number, text: string): void {
    this.insertions.push({ at: at - this.#offset, text });
  }

  #start(node: TS.Node): number {
    return node.getStart(this.#file);
  }

  #refuse(node: TS.Node): void {
    const ts = this.#ts;
    const refuse = (what: string) => this.#fail(`${what} not available in functions`, this.#start(node));
    if (ts.isImportDeclaration(node) || node.kind === ts.SyntaxKind.ImportKeyword) refuse('modules are');
    if (node.kind === ts.SyntaxKind.ExportKeyword || ts.isExportDeclaration(node)) refuse('modules are');
    if (ts.isExportAssignment(node)) refuse('modules are');
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) refuse('modules are');
    if (ts.isBigIntLiteral(node) && !ts.isLiteralTypeNode(node.parent)) refuse('BigInt is');
    if (ts.isDecorator(node)) refuse('decorators are');
    if (ts.isRegularExpressionLiteral(node) && node.text.length > MAX_PATTERN) {
      refuse(`regular expressions of more than ${MAX_PATTERN} characters are`);
    }
    if (ts.isWithStatement(node)) refuse('with is');
    if (ts.isVariableDeclarationList(node)) {
      const kind = node.flags & ts.NodeFlags.BlockScoped;
      if (kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing) refuse('using is');
    }
  }

  /** `await E` becomes `resume(await suspend(E))`. */
  #awaiting(node: TS.AwaitExpression): void {
    const { suspend, resume } = this.#names;
    this.#insert(this.#start(node), `${resume}(`);
    this.#insert(this.#start(node.expression), `${suspend}(`);
    this.#insert(node.end, '))');
  }

  /** The engine's own awaits in `for await` lose track: the loop's body and what follows it get it back. */
  #awaitingLoop(node: TS.ForOfStatement): void {
    const ts = this.#ts;
    const { stem, token, restore } = this.#names;
    const kept = `${stem}${this.#loops++}`;
    let outer: TS.Node = node;
    while (ts.isLabeledStatement(outer.parent)) outer = outer.parent;
    this.#insert(this.#start(outer), `{const ${kept}=${token}();try{`);
    this.#insert(this.#start(node.statement), `{${restore}(${kept});`);
    this.#insert(node.statement.end, '}');
    this.#insert(outer.end, `}finally{${restore}(${kept});}}`);
  }

  /** What is not made on the spot by `new` may have no stack: where it is thrown is noted. */
  #throwing(node: TS.ThrowStatement): void {
    const ts = this.#ts;
    if (ts.isNewExpression(node.expression)) return;
    const { line, column } = positionAt(
      this.#file.text.slice(this.#offset),
      this.#start(node) - this.#offset,
    );
    this.#insert(this.#start(node.expression), `${this.#names.thrown}(${line},${column},`);
    this.#insert(node.expression.end, ')');
  }

  #returning(node: TS.ReturnStatement): void {
    const ts = this.#ts;
    let value: TS.Node | undefined = node.expression;
    while (value !== undefined && (ts.isParenthesizedExpression(value) || ts.isAwaitExpression(value))) {
      value = value.expression;
    }
    if (value === undefined || ts.isLiteralExpression(value)) return;
    const called = ts.isCallExpression(value) ? value.expression.getText(this.#file) : '';
    if (!/^kong\.response\.(exit|error)$/.test(called)) this.mayReturnFunction = true;
  }
}

function isChainedOn(ts: TypeTools['ts'], node: TS.Node, child: TS.Node): boolean {
  if (ts.isBinaryExpression(node)) return node.left === child;
  const chain =
    ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node) || ts.isCallExpression(node);
  return chain && node.expression === child;
}
