import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type LuaEngine, LuaFactory } from 'wasmoon';
import { definePlugin } from '../../src/plugin/define.js';
import type { PluginDefinition } from '../../src/plugin/definition.js';
import { pluginInfo } from '../../src/plugin/dump.js';
import { loadPlugins } from '../../src/plugin/loader.js';
import { luaSchema } from '../../src/plugin/lua-schema.js';

const BUNDLED = fileURLToPath(new URL('../../plugins', import.meta.url));

/** Writes a Lua value as JSON with sorted keys; an empty table is written as {}. */
const TO_JSON = `
local function quoted(text)
  return (text:gsub('[%c"\\\\\\127-\\255]', function(c) return string.format('\\\\x%02x', c:byte()) end))
end
local function show(value)
  if value == ngx.null then return 'null' end
  if type(value) == 'string' then return '"' .. quoted(value) .. '"' end
  if type(value) == 'number' then return string.format('%.17g', value) end
  if type(value) ~= 'table' then return tostring(value) end
  local items = {}
  if #value > 0 then
    for _, item in ipairs(value) do items[#items + 1] = show(item) end
    return '[' .. table.concat(items, ',') .. ']'
  end
  for key, item in pairs(value) do items[#items + 1] = '"' .. quoted(key) .. '":' .. show(item) end
  table.sort(items)
  return '{' .. table.concat(items, ',') .. '}'
end
`;

/** The same for a value of the dump, as Lua reads it: an empty list is an empty table. */
function shown(value: unknown): string {
  const quoted = (text: string) =>
    [...Buffer.from(text)]
      .map((byte) => {
        const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
        return plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
      })
      .join('');
  if (value === null) return 'null';
  if (typeof value === 'string') return `"${quoted(value)}"`;
  if (typeof value === 'number') return String(Number(value.toPrecision(17)));
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? '{}' : `[${value.map(shown).join(',')}]`;
  const items = Object.entries(value).map(([key, item]) => `"${quoted(key)}":${shown(item)}`);
  // Lua sorts by bytes.
  items.sort((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')));
  return `{${items.join(',')}}`;
}

describe('schema.lua', () => {
  let lua: LuaEngine;
  let bundled: readonly PluginDefinition[];
  before(async () => {
    lua = await new LuaFactory().createEngine();
    await lua.doString('ngx = { null = setmetatable({}, {}) }');
    ({ plugins: bundled } = await loadPlugins(BUNDLED));
  });
  after(() => lua.global.close());

  const read = (definition: PluginDefinition): Promise<unknown> =>
    lua.doString(
      `${TO_JSON}\nlocal schema = (function() ${luaSchema(definition)} end)()\nreturn show(schema)`,
    );
  const holds = async (definition: PluginDefinition) => {
    const dumped = JSON.parse(JSON.stringify(pluginInfo(definition).Schema)) as unknown;
    assert.equal(await read(definition), shown(dumped));
  };

  it('says of every bundled plugin what its dump says', async () => {
    assert.ok(bundled.length >= 5);
    for (const definition of bundled) await holds(definition);
  });

  it('keeps every kind of field, names that Lua reserves, bytes, nulls and empty lists', async () => {
    class Plugin {
      access() {}
    }
    const definition = definePlugin({
      name: 'kinds',
      version: '1.0.0',
      priority: 5,
      Plugin,
      schema: [
        { end: { type: 'string', default: 'a "quoted" \\ text\nwith ünicode\u0000', len_min: 1 } },
        { 'with-hyphen': { type: 'number', between: [-0.5, 1e21] } },
        { list: { type: 'array', elements: { type: 'string', one_of: ['a', 'b'] }, default: [] } },
        { flags: { type: 'map', keys: { type: 'string' }, values: { type: 'boolean' }, default: {} } },
        { nothing: { type: 'string', default: null } },
        {
          nested: {
            type: 'record',
            fields: [{ on: { type: 'boolean', default: false } }],
            entity_checks: [{ at_least_one_of: ['on'] }],
          },
        },
      ],
    } as never);
    await holds(definition);
  });
});
