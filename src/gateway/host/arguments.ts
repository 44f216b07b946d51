import { LuaError, type LuaTable, type LuaValue } from '../plugin-port.js';
import { percentEncode } from '../router/path.js';

/** The name of a value's Lua type. */
export function luaType(value: LuaValue): string {
  if (value === undefined) {
    return 'nil';
  }
  return typeof value === 'object' ? 'table' : typeof value;
}

/** How Lua's `tostring` shows a value; a table by an address, which means nothing. */
export function luaText(value: LuaValue): string {
  if (value === undefined) {
    return 'nil';
  }
  return typeof value === 'object' ? 'table: 0x00000000' : String(value);
}

export function isTable(value: LuaValue): value is LuaValue[] | LuaTable {
  return typeof value === 'object' && value !== null;
}

/** @throws {LuaError} `WHAT must be a string` */
export function stringArgument(value: LuaValue, what: string): string {
  if (typeof value !== 'string') {
    throw new LuaError(`${what} must be a string`);
  }
  return value;
}

/** `max_headers` and `max_args`: absent is 100, else 1 to 1000. */
export function limitArgument(value: LuaValue, name: string): number {
  if (value === undefined) {
    return 100;
  }
  if (typeof value !== 'number') {
    throw new LuaError(`${name} must be a number`);
  }
  if (value < 1) {
    throw new LuaError(`${name} must be >= 1`);
  }
  if (value > 1000) {
    throw new LuaError(`${name} must be <= 1000`);
  }
  return value;
}

/** A header name, with the check every function on headers makes. */
export function headerName(value: LuaValue): string {
  if (typeof value !== 'string') {
    throw new LuaError(`invalid header name "${luaText(value)}": got ${luaType(value)}, expected string`);
  }
  return value;
}

/** Whether node can send a header of this name; nginx sends any. */
export function isToken(name: string): boolean {
  return name === '' || /^[\w!#$%&'*+\-.^`|~]+$/.test(name);
}

/**
 * A header's values as nginx sends them: no white space around, control characters percent-encoded. A table
 * without list entries is no value at all.
 *
 * @throws {LuaError} for anything but a string, number, boolean or list
 */
export function headerValues(name: string, value: LuaValue): string | string[] {
  if (Array.isArray(value)) {
    // Lua's list ends before the first nil.
    const end = value.indexOf(undefined);
    return (end < 0 ? value : value.slice(0, end)).map((item) => {
      if (typeof item === 'string') return headerText(item);
      throw new LuaError(`invalid header value in array "${name}": got ${luaType(item)}, expected string`);
    });
  }
  if (isTable(value)) {
    return [];
  }
  if (value === undefined) {
    throw new LuaError(
      `invalid header value for "${name}": got nil, expected array of string, string, number or boolean`,
    );
  }
  return headerText(String(value));
}

function headerText(text: string): string {
  const encoded = text.replace(/[^\t\x20-\x7e\x80-\xff]/g, percentEncode);
  return encoded.replace(/^[ \t]+|[ \t]+$/g, '');
}

/**
 * The headers of a table of headers.
 *
 * @throws {LuaError} for a table with anything but names and values
 */
export function headerTable(value: LuaValue): [name: string, values: string | string[]][] {
  if (!isTable(value)) {
    throw new LuaError('headers must be a table');
  }
  if (Array.isArray(value)) {
    if (value.length > 0) {
      throw new LuaError(`invalid header name "1": got number, expected string`);
    }
    return [];
  }
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([name, item]) => [name, headerValues(name, item)]);
}
