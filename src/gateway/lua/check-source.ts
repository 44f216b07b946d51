import luaparse, { type LuaNode } from 'luaparse';
import { LUA_MODULES, LUA_NAMES } from './names.js';

/** Something in a Lua chunk. Line and column count from 1. */
export interface LuaFinding {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Parses a chunk as Kong's LuaJIT does, and looks for what the local gateway does not have.
 *
 * @returns the syntax error, if there is one, and each name of `kong`, `ngx` and `require` that is not emulated
 */
export function checkLuaSource(source: string): { fault?: LuaFinding; missing: readonly LuaFinding[] } {
  const missing: LuaFinding[] = [];
  const reported: string[] = [];
  const onCreateNode = (node: LuaNode) => {
    const name = nameOf(node) ?? moduleOf(node) ?? onlyLuaJit(node);
    if (
      name === undefined ||
      LUA_NAMES.has(name) ||
      reported.some((known) => name === known || name.startsWith(`${known}.`))
    ) {
      return;
    }
    reported.push(name);
    const { line = 1, column = 0 } = node.loc?.start ?? {};
    missing.push({ message: `${name} is not emulated by the local gateway`, line, column: column + 1 });
  };
  try {
    luaparse.parse(source, {
      luaVersion: 'LuaJIT',
      comments: false,
      locations: true,
      scope: true,
      onCreateNode,
    });
    return { missing };
  } catch (error) {
    const { message, line, column } = error as { message: string; line?: number; column?: number };
    if (line === undefined || column === undefined) throw error;
    return {
      fault: { message: message.replace(/^\[\d+:\d+\] /, ''), line, column: column + 1 },
      missing: [],
    };
  }
}

/** `ngx.req.get_headers` of an access to a field of one of Kong's tables. */
function nameOf(node: LuaNode): string | undefined {
  if (node.type === 'Identifier') {
    return (node.name === 'kong' || node.name === 'ngx') && node.isLocal !== true ? node.name : undefined;
  }
  if (node.type !== 'MemberExpression' || node.base === undefined) return undefined;
  const base = nameOf(node.base);
  // What lies in these belongs to the request or to the functions.
  if (base === undefined || /^(ngx\.(var|ctx|header|arg)|kong\.(ctx\.\w+|configuration))$/.test(base))
    return undefined;
  return `${base}.${node.identifier?.name ?? ''}`;
}

/** What LuaJIT has and Lua 5.4, in which the gateway runs functions, has not. */
function onlyLuaJit(node: LuaNode): string | undefined {
  if (node.type === 'NumericLiteral' && /(ll|i)$/i.test(node.raw ?? '')) return `the number ${node.raw}`;
  return node.type === 'Identifier' && node.name === 'goto' ? 'the name goto' : undefined;
}

/** `require "x"` of a call with a literal. */
function moduleOf(node: LuaNode): string | undefined {
  if (!/Call/.test(node.type) || node.base?.type !== 'Identifier' || node.base.name !== 'require')
    return undefined;
  const literal = node.argument ?? node.arguments?.[0];
  const name = literal?.type === 'StringLiteral' ? literal.raw?.replace(/^['"]|['"]$/g, '') : undefined;
  return name === undefined || LUA_MODULES.includes(name) ? undefined : `require "${name}"`;
}
