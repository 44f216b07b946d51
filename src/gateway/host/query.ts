import { LuaError, type LuaValue } from '../plugin-port.js';
import { percentDecode, percentEncode } from '../router/path.js';
import { isTable, luaType } from './arguments.js';

/** A query argument: its bytes, or true where it has no `=`. */
export type QueryValue = string | true;

/** As OpenResty's decode_args: `+` is a space, arguments without a name are left out, at most `max` are read. */
export function parseQuery(query: string, max: number): { [name: string]: QueryValue | QueryValue[] } {
  const args: { [name: string]: QueryValue | QueryValue[] } = Object.create(null);
  let count = 0;
  for (const part of query.split('&')) {
    if (part === '' || part.startsWith('=')) {
      continue;
    }
    if (++count > max) {
      break;
    }
    const equals = part.indexOf('=');
    const name = unescapeArgument(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? true : unescapeArgument(part.slice(equals + 1));
    const before = args[name];
    if (before === undefined) {
      args[name] = value;
    } else if (Array.isArray(before)) {
      before.push(value);
    } else {
      args[name] = [before, value];
    }
  }
  return args;
}

/** `+` is a space, percent escapes are bytes. */
export function unescapeArgument(text: string): string {
  return percentDecode(text.replaceAll('+', ' '));
}

/**
 * As Kong encodes a table of query arguments: sorted by name, lists repeated, true without `=`, false left out.
 *
 * @throws {LuaError} for values of other types
 */
export function encodeQuery(args: LuaValue): string {
  if (!isTable(args)) {
    throw new LuaError('args must be a table');
  }
  const parts: string[] = [];
  for (const name of Object.keys(args).sort()) {
    const value = (args as Record<string, LuaValue>)[name];
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === undefined || item === false) {
        continue;
      }
      if (isTable(item)) {
        throw new LuaError(`failed to encode query arguments: got ${luaType(item)} as the value of ${name}`);
      }
      parts.push(
        item === true ? escapeArgument(name) : `${escapeArgument(name)}=${escapeArgument(String(item))}`,
      );
    }
  }
  return parts.join('&');
}

function escapeArgument(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!*'()]/g, percentEncode);
}
