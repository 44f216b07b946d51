import type { Exchange } from '../exchange.js';
import { forwardedPrefix } from '../http/upstream-request.js';
import { LuaError, type LuaValue } from '../plugin-port.js';
import { stringArgument } from './arguments.js';
import { type HostContext, type HostFunctions, KONG_PHASES, setter } from './context.js';
import { parseQuery } from './query.js';

/** The variables of nginx's that depend on the request only. */
const VARIABLES: Readonly<Record<string, (exchange: Exchange) => string | undefined>> = {
  remote_addr: (x) => x.clientIp,
  remote_port: (x) => String(x.clientPort),
  server_port: (x) => String(x.localPort),
  server_protocol: (x) => `HTTP/${x.httpVersion}`,
  server_name: () => 'kong',
  scheme: () => 'http',
  https: () => '',
  host: (x) => x.host,
  request_method: (x) => x.method,
  request_uri: (x) => x.target,
  request: (x) => `${x.originalMethod} ${x.target} HTTP/${x.httpVersion}`,
  request_id: (x) => x.id,
  kong_request_id: (x) => x.id,
  uri: (x) => x.path,
  document_uri: (x) => x.path,
  args: (x) => x.query,
  query_string: (x) => x.query,
  is_args: (x) => (x.query ? '?' : ''),
  content_type: (x) => x.headers.get('content-type'),
  content_length: (x) => x.headers.get('content-length'),
  msec: () => (Date.now() / 1000).toFixed(3),
  upstream_uri: (x) => x.upstream?.path,
  http_version: (x) => x.httpVersion,
  request_length: (x) => x.headers.get('content-length'),
  realip_remote_addr: (x) => x.clientIp,
  connection: () => '1',
  connection_requests: () => '1',
  hostname: () => 'localhost',
  nginx_version: () => '1.27.1',
  pid: () => String(process.pid),
  request_time: (x) => ((Date.now() - x.timing.started) / 1000).toFixed(3),
  status: (x) => (x.responseStatus === undefined ? '000' : String(x.responseStatus)),
  ssl_protocol: () => undefined,
  ssl_server_name: () => undefined,
  kong_proxy_mode: () => 'http',
  upstream_status: (x) => (x.upstreamStatus === undefined ? undefined : String(x.upstreamStatus)),
  upstream_host: (x) => x.upstream?.hostHeader,
  upstream_scheme: (x) => x.upstream?.scheme,
  upstream_x_forwarded_prefix: forwardedPrefix,
};

function variable(exchange: Exchange, name: string): string | undefined {
  const header = /^http_(.+)$/.exec(name)?.[1];
  if (header !== undefined) {
    return exchange.headers.get(header) ?? exchange.headers.get(header.replaceAll('_', '-'));
  }
  const argument = /^arg_(.+)$/.exec(name)?.[1];
  if (argument !== undefined) {
    const value = parseQuery(exchange.query ?? '', 100)[argument];
    const first = Array.isArray(value) ? value[0] : value;
    return first === true ? '' : first;
  }
  const cookie = /^cookie_(.+)$/.exec(name)?.[1];
  if (cookie !== undefined) {
    const pairs = exchange.headers.getAll('cookie').flatMap((line) => line.split(/; */));
    return pairs.find((pair) => pair.startsWith(`${cookie}=`))?.slice(cookie.length + 1);
  }
  if (Object.hasOwn(VARIABLES, name)) return VARIABLES[name]?.(exchange);
  throw new LuaError(`nginx's variable ${name} is not emulated by the local gateway`);
}

function getContext({ exchange, phase }: HostContext, [key]: readonly LuaValue[]): LuaValue {
  const name = stringArgument(key, 'key');
  return name === 'KONG_PHASE' ? KONG_PHASES[phase] : exchange.nginxContext[name];
}

const set = setter();

/** `kong.nginx` and `kong.ctx.shared`. */
export const nginxFunctions: HostFunctions = {
  'kong.nginx.get_var': { run: ({ live }, [name]) => variable(live, stringArgument(name, 'variable name')) },
  'kong.nginx.get_tls1_version_str': {
    run: (context) => (context.phase === 'certificate' ? 'TLSv1.3' : context.live && undefined),
  },
  'kong.nginx.get_ctx': { run: getContext },
  'kong.nginx.set_ctx': set(({ exchange }, [key, value]) => {
    exchange.nginxContext[stringArgument(key, 'key')] = value;
  }),
  'kong.nginx.req_start_time': { run: ({ exchange }) => exchange.timing.started / 1000 },
  'kong.nginx.get_subsystem': { run: ({ phase }) => (phase === 'preread' ? 'stream' : 'http') },
  'kong.ctx.shared.get': { run: ({ exchange }, [key]) => exchange.shared[stringArgument(key, 'key')] },
  'kong.ctx.shared.set': set(({ exchange }, [key, value]) => {
    exchange.shared[stringArgument(key, 'key')] = value;
  }),
};
