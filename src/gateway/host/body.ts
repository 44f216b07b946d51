import { LuaError, type LuaTable, type LuaValue } from '../plugin-port.js';
import { isTable, limitArgument } from './arguments.js';
import { encodeQuery, parseQuery } from './query.js';

/** Bytes to text and back: inside JSON the strings of a byte string are UTF-8. */
const fromBytes = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
const toBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

/** How Lua's functions hold JSON's null: no byte string has this character. */
export const NULL = '\u0101';

/** A JSON value as Lua holds it: strings as bytes, null as absent or as something else. */
export function luaFromJson(value: unknown, none: LuaValue = undefined): LuaValue {
  if (value === null || value === undefined) return none;
  if (typeof value === 'string') return toBytes(value);
  if (Array.isArray(value)) return value.map((item) => luaFromJson(item, none));
  if (typeof value !== 'object') return value as LuaValue;
  const entries = Object.entries(value).map(
    ([key, item]) => [toBytes(key), luaFromJson(item, none)] as const,
  );
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function jsonFromLua(value: LuaValue): unknown {
  if (value === NULL) return null;
  if (typeof value === 'string') return fromBytes(value);
  if (Array.isArray(value)) return value.map(jsonFromLua);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [fromBytes(key), jsonFromLua(item)]));
}

/** JSON text of a Lua value, as bytes. */
export function encodeJson(value: LuaValue): string {
  return toBytes(JSON.stringify(jsonFromLua(value)) ?? 'null');
}

/**
 * A body decoded by its content type; undefined where the type is not known or the text is faulty: a plugin server
 * sees only the nil of the PDK's nil and error.
 *
 * @throws {LuaError} for the parts of a form, which this gateway does not read
 */
export function parseBody(body: string, mimetype: string, maxArgs: LuaValue): LuaValue {
  const type = mimetype.toLowerCase();
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return parseQuery(body, limitArgument(maxArgs, 'max_args')) as LuaTable;
  }
  if (type.startsWith('multipart/form-data')) {
    throw new LuaError('decoding multipart/form-data is not emulated by the local gateway');
  }
  if (!type.startsWith('application/json')) return undefined;
  try {
    const value = luaFromJson(JSON.parse(fromBytes(body)));
    return isTable(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A table as a body of the given type.
 *
 * @throws {LuaError} for a type that this gateway cannot write
 */
export function formatBody(args: LuaValue, mimetype: string): string {
  const type = mimetype.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') {
    return encodeJson(args);
  }
  if (type === 'application/x-www-form-urlencoded') {
    return encodeQuery(args);
  }
  throw new LuaError(`unsupported content type ${mimetype}: the local gateway writes JSON and form bodies`);
}
