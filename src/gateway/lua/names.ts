import { HOST_FUNCTIONS } from '../host/pdk-host.js';

/** Modules that `require` gives. */
export const LUA_MODULES: readonly string[] = ['cjson', 'cjson.safe'];

/** What the prelude defines itself, beside the PDK functions of the gateway. */
const OWN = [
  ...['kong.version', 'kong.version_num', 'kong.configuration', 'kong.pdk_major_version', 'kong.pdk_version'],
  ...['kong.ctx.shared', 'kong.ctx.plugin', 'kong.response.set_raw_body', 'kong.log.inspect'],
  ...[
    'EMERG',
    'ALERT',
    'CRIT',
    'ERR',
    'WARN',
    'NOTICE',
    'INFO',
    'DEBUG',
    'OK',
    'ERROR',
    'DECLINED',
    'null',
  ].map((name) => `ngx.${name}`),
  ...[
    'var',
    'ctx',
    'header',
    'arg',
    'status',
    'now',
    'time',
    'update_time',
    'today',
    'localtime',
    'utctime',
  ].map((name) => `ngx.${name}`),
  ...['log', 'exit', 'say', 'print', 'redirect', 'md5', 'sha1_bin', 'hmac_sha1', 'crc32_long'].map(
    (name) => `ngx.${name}`,
  ),
  ...['encode_base64', 'decode_base64', 'escape_uri', 'unescape_uri', 'encode_args', 'decode_args'].map(
    (name) => `ngx.${name}`,
  ),
  ...[
    'get_phase',
    'http_time',
    'cookie_time',
    'worker',
    'config',
    'worker.id',
    'worker.pid',
    'config.subsystem',
  ].map((name) => `ngx.${name}`),
  ...[
    'get_headers',
    'set_header',
    'clear_header',
    'get_method',
    'set_method',
    'get_uri_args',
    'set_uri_args',
  ].map((name) => `ngx.req.${name}`),
  ...[
    'set_uri',
    'read_body',
    'get_body_data',
    'set_body_data',
    'get_post_args',
    'http_version',
    'start_time',
  ].map((name) => `ngx.req.${name}`),
];

/** nginx's constants for statuses and methods. */
export const NGINX_CONSTANTS: Readonly<Record<string, number>> = {
  ...{
    HTTP_CONTINUE: 100,
    HTTP_SWITCHING_PROTOCOLS: 101,
    HTTP_OK: 200,
    HTTP_CREATED: 201,
    HTTP_ACCEPTED: 202,
  },
  ...{
    HTTP_NO_CONTENT: 204,
    HTTP_PARTIAL_CONTENT: 206,
    HTTP_SPECIAL_RESPONSE: 300,
    HTTP_MOVED_PERMANENTLY: 301,
  },
  ...{
    HTTP_MOVED_TEMPORARILY: 302,
    HTTP_SEE_OTHER: 303,
    HTTP_NOT_MODIFIED: 304,
    HTTP_TEMPORARY_REDIRECT: 307,
  },
  ...{
    HTTP_PERMANENT_REDIRECT: 308,
    HTTP_BAD_REQUEST: 400,
    HTTP_UNAUTHORIZED: 401,
    HTTP_PAYMENT_REQUIRED: 402,
  },
  ...{ HTTP_FORBIDDEN: 403, HTTP_NOT_FOUND: 404, HTTP_NOT_ALLOWED: 405, HTTP_NOT_ACCEPTABLE: 406 },
  ...{ HTTP_REQUEST_TIMEOUT: 408, HTTP_CONFLICT: 409, HTTP_GONE: 410, HTTP_UPGRADE_REQUIRED: 426 },
  ...{ HTTP_TOO_MANY_REQUESTS: 429, HTTP_ILLEGAL: 451, HTTP_CLOSE: 444, HTTP_INTERNAL_SERVER_ERROR: 500 },
  ...{ HTTP_METHOD_NOT_IMPLEMENTED: 501, HTTP_BAD_GATEWAY: 502, HTTP_SERVICE_UNAVAILABLE: 503 },
  ...{ HTTP_GATEWAY_TIMEOUT: 504, HTTP_VERSION_NOT_SUPPORTED: 505, HTTP_INSUFFICIENT_STORAGE: 507 },
  ...{
    HTTP_GET: 2,
    HTTP_HEAD: 4,
    HTTP_POST: 8,
    HTTP_PUT: 16,
    HTTP_DELETE: 32,
    HTTP_OPTIONS: 512,
    HTTP_PATCH: 16384,
  },
};

/** Every dotted name below `kong` and `ngx` that a function may use, tables on the way included. */
export const LUA_NAMES: ReadonlySet<string> = new Set(
  [...HOST_FUNCTIONS.keys(), ...OWN, ...Object.keys(NGINX_CONSTANTS).map((name) => `ngx.${name}`)].flatMap(
    (name) => {
      const parts = name.split('.');
      return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
    },
  ),
);
