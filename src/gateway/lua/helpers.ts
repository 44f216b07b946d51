import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodeQuery, parseQuery } from '../host/query.js';
import type { LuaTable, LuaValue } from '../plugin-port.js';
import { percentEncode } from '../router/path.js';

/** The part of kong.conf that `kong.configuration` shows to functions. */
export const PUBLIC_CONFIGURATION = {
  database: 'off',
  role: 'traditional',
  router_flavor: 'traditional_compatible',
  prefix: '/usr/local/kong',
  log_level: 'notice',
  nginx_worker_processes: '1',
  untrusted_lua: 'sandbox',
  anonymous_reports: false,
  admin_gui_path: '/',
};

/** How JSON's null crosses into Lua: no byte string has this character. */
const NULL = '\u0101';

const fromText = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const toText = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
const bytes = (value: LuaValue) => Buffer.from(String(value ?? ''), 'latin1');
const METHODS: Readonly<Record<number, string>> = {
  ...{ 2: 'GET', 4: 'HEAD', 8: 'POST', 16: 'PUT', 32: 'DELETE', 512: 'OPTIONS', 16384: 'PATCH' },
};

type Helper = (args: readonly LuaValue[], raw: readonly unknown[]) => LuaValue;

/** What the prelude asks for beside the PDK, by name. Strings are bytes, one char each. */
export const LUA_HELPERS: Readonly<Record<string, Helper>> = {
  'gateway.now': () => Date.now() / 1000,
  'gateway.method': ([method]) => (typeof method === 'number' ? METHODS[method] : method),
  'gateway.md5': ([text]) => createHash('md5').update(bytes(text)).digest('hex'),
  'gateway.sha1_bin': ([text]) => createHash('sha1').update(bytes(text)).digest('binary'),
  'gateway.hmac_sha1': ([key, text]) => createHmac('sha1', bytes(key)).update(bytes(text)).digest('binary'),
  'gateway.crc32_long': ([text]) => crc32(bytes(text)),
  'gateway.encode_base64': ([text, unpadded]) => {
    const encoded = bytes(text).toString('base64');
    return unpadded === true ? encoded.replace(/=+$/, '') : encoded;
  },
  'gateway.decode_base64': ([text]) =>
    /^[A-Za-z0-9+/]*={0,2}$/.test(String(text))
      ? Buffer.from(String(text), 'base64').toString('latin1')
      : undefined,
  'gateway.escape_uri': ([text]) => String(text).replace(/[^A-Za-z0-9\-._~!'()*]/g, percentEncode),
  'gateway.unescape_uri': ([text]) =>
    String(text)
      .replaceAll('+', ' ')
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  'gateway.encode_args': ([args]) => encodeQuery(args),
  'gateway.decode_args': ([text, max]) =>
    parseQuery(String(text), typeof max === 'number' && max > 0 ? max : 100) as LuaTable,
  'gateway.json_encode': ([value]) => fromText(JSON.stringify(plain(value)) ?? 'null'),
  'gateway.json_decode': ([text]) => {
    try {
      return { value: withNulls(JSON.parse(bytes(text).toString('utf8'))) };
    } catch (error) {
      return { problem: (error as Error).message };
    }
  },
};

/** A Lua value for JSON.stringify, nulls included. */
function plain(value: LuaValue): unknown {
  if (value === NULL) return null;
  if (typeof value === 'string') return toText(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [toText(key), plain(item)]));
}

/** A JSON value whose nulls are kept. */
function withNulls(value: unknown): LuaValue {
  if (value === null) return NULL;
  if (Array.isArray(value)) return value.map(withNulls);
  if (typeof value === 'string') return fromText(value);
  if (typeof value !== 'object') return value as LuaValue;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      Buffer.from(key, 'utf8').toString('latin1'),
      withNulls(item),
    ]),
  );
}
