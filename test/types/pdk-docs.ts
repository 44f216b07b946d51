// Writes what the table of the PDK says into the types' doc comments and docs/pdk.md:
// node --import tsx test/types/pdk-docs.ts
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { COMPOSED_MSGPACK, COMPOSED_PROTOBUF } from '../../src/pdk/composed.js';
import { methodNamed, type PdkMethod, unknownMethod } from '../../src/pdk/methods.js';
import { PROTOBUF_METHODS } from '../../src/protocol/protobuf/methods.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = join(ROOT, 'docs/pdk.md');
const TYPES = join(ROOT, 'src/pdk/types');
const FILES = [join(ROOT, 'src/pdk/types.ts'), ...readdirSync(TYPES).map((file) => join(TYPES, file))];
const START = '<!-- functions: written by test/types/pdk-docs.ts -->';
const END = '<!-- end of functions -->';

const PHASE_NAMES: Readonly<Record<string, string>> = {
  c: 'certificate',
  r: 'rewrite',
  a: 'access',
  s: 'response',
  p: 'preread',
  l: 'log',
};

interface Declared {
  readonly method: PdkMethod;
  readonly source: ts.SourceFile;
  /** The declaration whose comment describes the function. */
  readonly node: ts.TypeElement;
  readonly result: string;
}

/** The functions that the types declare, in their order. */
function declaredFunctions(): Declared[] {
  const interfaces = new Map<string, { node: ts.InterfaceDeclaration; source: ts.SourceFile }>();
  for (const file of FILES) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
    source.forEachChild((node) => {
      if (ts.isInterfaceDeclaration(node)) interfaces.set(node.name.text, { node, source });
    });
  }
  const found: Declared[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    const { node, source } = interfaces.get(name) as { node: ts.InterfaceDeclaration; source: ts.SourceFile };
    const add = (member: ts.TypeElement, at: readonly string[]) => {
      const method = unknownMethod(at);
      if (method.index < 0) throw new Error(`the table of the PDK has no ${method.wire}`);
      found.push({ method, source, node: member, result: resultOf(member) });
    };
    for (const member of node.members) {
      if (ts.isCallSignatureDeclaration(member)) {
        add(member, path);
        continue;
      }
      const key = (member.name as ts.Identifier).text;
      const type = ts.isPropertySignature(member) ? member.type : undefined;
      const referred = type && ts.isTypeReferenceNode(type) ? type.typeName.getText() : '';
      if (referred.startsWith('Kong')) visit(referred, [...path, key]);
      else add(member, [...path, key]);
    }
  };
  visit('Kong', []);
  return found;
}

/** What a function's promise brings. */
function resultOf(member: ts.TypeElement): string {
  let returned: ts.TypeNode | undefined;
  if (ts.isMethodSignature(member) || ts.isCallSignatureDeclaration(member)) returned = member.type;
  else if (ts.isPropertySignature(member) && member.type && ts.isTypeReferenceNode(member.type)) {
    // `Also<F, G>`, of which the first is ours; `Words` brings nothing.
    const own = member.type.typeArguments?.[0];
    if (own === undefined) return 'nothing';
    returned = ts.isFunctionTypeNode(own) ? own.type : own;
  }
  const text = (returned?.getText() ?? '').replace(/\s+/g, ' ');
  if (text === 'Done') return 'nothing';
  if (text === 'never') return 'ends the handler';
  return `\`${(/^Promise<(.*)>$/.exec(text)?.[1] ?? text).replaceAll('|', '\\|')}\``;
}

function phasesText({ phases }: PdkMethod): string {
  if (phases === 'craspl') return 'all';
  return phases === '' ? 'none' : [...phases].map((letter) => PHASE_NAMES[letter]).join(', ');
}

/** How a function comes about over each protocol. */
function ways({ index, wire, phases }: PdkMethod): { protobuf: string; msgpack: string } {
  if (phases === '') return { protobuf: 'error', msgpack: 'error' };
  const isBuilt = COMPOSED_PROTOBUF[index] !== undefined;
  const sent = PROTOBUF_METHODS.has(wire) ? 'Kong' : 'error: needs MsgPack:1';
  return {
    protobuf: wire.endsWith('enable_buffering')
      ? 'nothing, if there is a `response` handler'
      : isBuilt
        ? 'built'
        : sent,
    msgpack: COMPOSED_MSGPACK[index] === undefined ? 'Kong' : 'built',
  };
}

function protocolsText(method: PdkMethod): string {
  const { protobuf, msgpack } = ways(method);
  if (protobuf === 'error') return 'none';
  if (protobuf.startsWith('error')) return 'MsgPack:1';
  if (protobuf.startsWith('nothing')) return 'MsgPack:1; ProtoBuf:1 for plugins with a `response` handler';
  if (protobuf === 'Kong') return 'ProtoBuf:1, MsgPack:1';
  return `ProtoBuf:1 (built from others), MsgPack:1${msgpack === 'built' ? ' (likewise)' : ''}`;
}

/** The comment of a function with the lines that the table gives. */
function comment(text: string, method: PdkMethod): string {
  const lines = text
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.trim().replace(/^\* ?/, ''))
    .filter((line) => !/^@(phases|protocols) /.test(line));
  while (lines.at(-1) === '') lines.pop();
  while (lines[0] === '') lines.shift();
  const isTagged = lines.some((line) => line.startsWith('@'));
  const all = [
    ...lines,
    ...(isTagged ? [] : ['']),
    `@phases ${phasesText(method)}`,
    `@protocols ${protocolsText(method)}`,
  ];
  return `/**\n${all.map((line) => `   * ${line}`.trimEnd()).join('\n')}\n   */`;
}

/** The contents that the files are to have, by path. */
export function pdkDocs(): Map<string, string> {
  const declared = declaredFunctions();
  const contents = new Map<string, string>();
  for (const file of FILES) {
    let text = readFileSync(file, 'utf8');
    const inside = declared.filter(({ source }) => source.fileName === file);
    // From the end, so that positions before stay what they were.
    for (const { method, node } of inside.sort((a, b) => b.node.pos - a.node.pos)) {
      const [range] = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
      if (range === undefined) throw new Error(`${method.wire} has no comment`);
      const written = comment(text.slice(range.pos, range.end).trim(), method);
      text = text.slice(0, range.pos) + written + text.slice(range.end);
    }
    contents.set(file, text);
  }
  const rows = declared.map(({ method, result }) => {
    const { protobuf, msgpack } = ways(method);
    return `| \`kong.${method.path.join('.')}\` | ${phasesText(method)} | ${protobuf} | ${msgpack} | ${result} |`;
  });
  const head = [
    '| function | phases | ProtoBuf:1 | MsgPack:1 | what comes back |',
    '| --- | --- | --- | --- | --- |',
  ];
  const page = readFileSync(PAGE, 'utf8');
  const table = [START, '', ...head, ...rows, '', END].join('\n');
  contents.set(PAGE, page.slice(0, page.indexOf(START)) + table + page.slice(page.indexOf(END) + END.length));
  return contents;
}

/** The functions of the table that no type declares. */
export function undeclared(wires: Iterable<string>): string[] {
  const declared = new Set(declaredFunctions().map(({ method }) => method.wire));
  return [...wires].filter((wire) => methodNamed(wire) !== undefined && !declared.has(wire));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of pdkDocs()) writeFileSync(file, text);
}
