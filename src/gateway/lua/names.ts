import { HOST_FUNCTIONS } from '../host/pdk-host.js';

/** Modules that `require` gives. */
export const LUA_MODULES: readonly string[] = ['cjson', 'cjson.safe'];

const words = (text: string) => text.trim().split(/\s+/);
const below = (table: string, text: string) => words(text).map((name) => `${table}.${name}`);

/** What the prelude defines itself, beside the PDK functions of the gateway. */
const OWN = [
  ...below(
    'kong',
    `version version_num configuration pdk_major_version pdk_version ctx.shared ctx.plugin
    response.set_raw_body log.inspect`,
  ),
  ...below(
    'ngx',
    `EMERG ALERT CRIT ERR WARN NOTICE INFO DEBUG OK ERROR DECLINED null
    var ctx header arg status now time update_time today localtime utctime http_time cookie_time
    log exit say print redirect md5 sha1_bin hmac_sha1 crc32_long
    encode_base64 decode_base64 escape_uri unescape_uri encode_args decode_args
    get_phase worker.id worker.pid config.subsystem`,
  ),
  ...below(
    'ngx.req',
    `get_headers set_header clear_header get_method set_method get_uri_args set_uri_args set_uri
    read_body get_body_data set_body_data get_post_args http_version start_time`,
  ),
];

/** nginx's constants for statuses and methods. */
export const NGINX_CONSTANTS: Readonly<Record<string, number>> = Object.fromEntries(
  words(`
  CONTINUE=100 SWITCHING_PROTOCOLS=101 OK=200 CREATED=201 ACCEPTED=202 NO_CONTENT=204
  PARTIAL_CONTENT=206 SPECIAL_RESPONSE=300 MOVED_PERMANENTLY=301 MOVED_TEMPORARILY=302 SEE_OTHER=303
  NOT_MODIFIED=304 TEMPORARY_REDIRECT=307 PERMANENT_REDIRECT=308 BAD_REQUEST=400 UNAUTHORIZED=401
  PAYMENT_REQUIRED=402 FORBIDDEN=403 NOT_FOUND=404 NOT_ALLOWED=405 NOT_ACCEPTABLE=406
  REQUEST_TIMEOUT=408 CONFLICT=409 GONE=410 UPGRADE_REQUIRED=426 TOO_MANY_REQUESTS=429 ILLEGAL=451
  CLOSE=444 INTERNAL_SERVER_ERROR=500 METHOD_NOT_IMPLEMENTED=501 BAD_GATEWAY=502
  SERVICE_UNAVAILABLE=503 GATEWAY_TIMEOUT=504 VERSION_NOT_SUPPORTED=505 INSUFFICIENT_STORAGE=507 GET=2
  HEAD=4 POST=8 PUT=16 DELETE=32 OPTIONS=512 PATCH=16384
  `).map((pair) => [`HTTP_${pair.split('=')[0]}`, Number(pair.split('=')[1])]),
);

/** Every dotted name below `kong` and `ngx` that a function may use, tables on the way included. */
export const LUA_NAMES: ReadonlySet<string> = new Set(
  [...HOST_FUNCTIONS.keys(), ...OWN, ...Object.keys(NGINX_CONSTANTS).map((name) => `ngx.${name}`)].flatMap(
    (name) => {
      const parts = name.split('.');
      return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
    },
  ),
);
