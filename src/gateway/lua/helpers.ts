import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodeJson, luaFromJson, NULL } from '../host/body.js';
import { encodeQuery, parseQuery, unescapeArgument } from '../host/query.js';
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
  'gateway.unescape_uri': ([text]) => unescapeArgument(String(text)),
  'gateway.encode_args': ([args]) => encodeQuery(args),
  'gateway.decode_args': ([text, max]) =>
    parseQuery(String(text), typeof max === 'number' && max > 0 ? max : 100) as LuaTable,
  'gateway.json_encode': ([value]) => encodeJson(value),
  'gateway.json_decode': ([text]) => {
    try {
      return { value: luaFromJson(JSON.parse(bytes(text).toString('utf8')), NULL) };
    } catch (error) {
      return { problem: (error as Error).message };
    }
  },
};
