import type { PluginDefinition } from './definition.js';
import { pluginInfo } from './dump.js';

/** Names that Lua takes for table keys without brackets. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const RESERVED: ReadonlySet<string> = new Set(
  (
    'and break do else elseif end false for function goto if in local nil not or repeat return then true until ' +
    'while'
  ).split(' '),
);

/**
 * The text of a `schema.lua` that says of a plugin what its dump says: for control planes, which need a plugin's schema
 * and never run it (hybrid mode, Konnect). A null of the schema becomes `ngx.null`, as it does for Kong when it reads
 * the dump.
 *
 * ```ts
 * luaSchema(definition); // return { name = "hello", fields = { { config = { … } } } }
 * ```
 */
export function luaSchema(definition: PluginDefinition): string {
  const { Name, Version, Priority, Schema } = pluginInfo(definition);
  return `-- The schema of the plugin ${Name} ${Version} (priority ${Priority}), written by kong-ts-pluginserver.
return ${luaValue(Schema, '')}
`;
}

function luaValue(value: unknown, indent: string): string {
  switch (typeof value) {
    case 'string':
      return luaString(value);
    case 'boolean':
      return String(value);
    case 'number':
      return luaNumber(value);
    case 'object':
      return value === null ? 'ngx.null' : luaTable(value, indent);
    default:
      throw new TypeError(`a schema cannot hold a ${typeof value}`);
  }
}

function luaTable(value: object, indent: string): string {
  const inner = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => luaValue(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${luaKey(key)} = ${luaValue(item, inner)}`);
  if (items.length === 0) return '{}';
  const line = `{ ${items.join(', ')} }`;
  if (line.length + indent.length <= 100 && !line.includes('\n')) return line;
  return `{\n${items.map((item) => `${inner}${item},\n`).join('')}${indent}}`;
}

function luaKey(key: string): string {
  return NAME.test(key) && !RESERVED.has(key) ? key : `[${luaString(key)}]`;
}

function luaNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  throw new TypeError(`a schema cannot hold the number ${value}`);
}

/** Bytes outside printable ASCII are written as decimal escapes, which every Lua reads alike. */
function luaString(text: string): string {
  let quoted = '';
  for (const byte of Buffer.from(text)) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) quoted += String.fromCharCode(byte);
    else quoted += `\\${String(byte).padStart(3, '0')}`;
  }
  return `"${quoted}"`;
}
