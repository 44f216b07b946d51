import type { Exchange, UpstreamTarget } from '../exchange.js';
import { LuaError, type LuaValue } from '../plugin-port.js';
import { escapePath } from '../router/path.js';
import { headerName, headerTable, headerValues, isTable, isToken, stringArgument } from './arguments.js';
import { formatBody } from './body.js';
import { type HostContext, type HostFunctions, type KongPhase, setter } from './context.js';
import { encodeQuery } from './query.js';

const BEFORE_UPSTREAM: readonly KongPhase[] = ['rewrite', 'access', 'balancer'];
const TARGET: readonly KongPhase[] = ['rewrite', 'access', 'balancer', 'preread'];

const METHODS = new Set([
  ...['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'MKCOL', 'COPY', 'MOVE', 'PROPFIND', 'PROPPATCH'],
  ...['LOCK', 'UNLOCK', 'PATCH', 'TRACE'],
]);

/** Before a route is known there is nothing to change: Kong overwrites what `rewrite` set. */
function target({ live }: HostContext): UpstreamTarget {
  live.upstream ??= { scheme: 'http', host: '', port: 80, path: live.path, hostHeader: '', ownHost: false };
  return live.upstream;
}

function setHeader(
  exchange: Exchange,
  upstream: UpstreamTarget,
  name: string,
  values: string | string[],
): void {
  if (name.toLowerCase() === 'host') {
    upstream.hostHeader = [values].flat()[0] ?? '';
    upstream.ownHost = true;
    return;
  }
  // nginx would send such a name, and no upstream would take it.
  if (isToken(name)) exchange.headers.set(name, values);
}

function setTarget(context: HostContext, [host, port]: readonly LuaValue[]): void {
  const name = stringArgument(host, 'host');
  integerArgument(port, 'port', 0, 65_535);
  if (context.phase === 'rewrite') {
    throw new LuaError("attempt to index field 'balancer_data' (a nil value)");
  }
  Object.assign(target(context), { host: name, port, hostHeader: name, ownHost: true });
}

function setBody(context: HostContext, [args, mimetype]: readonly LuaValue[]): LuaValue {
  if (!isTable(args)) {
    throw new LuaError('args must be a table');
  }
  const type = mimetype ?? context.live.headers.get('content-type');
  if (type === undefined) return undefined;
  const mime = stringArgument(type, 'mime');
  context.live.body.replace(Buffer.from(formatBody(args, mime), 'latin1'));
  context.live.headers.set('Content-Type', mime);
  return true;
}

const access = setter(['access']);
const set = setter(BEFORE_UPSTREAM);

function integerArgument(value: LuaValue, name: string, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new LuaError(`${name} must be an integer`);
  if (value < low || value > high) {
    throw new LuaError(`${name} must be an integer between ${low} and ${high}: given ${value}`);
  }
  return value;
}

/** `kong.service` and `kong.service.request`. */
export const serviceFunctions: HostFunctions = {
  'kong.service.set_target': setter(TARGET)(setTarget),
  'kong.service.set_upstream': {
    phases: ['access'],
    run: (context, [host]) => {
      const name = stringArgument(host, 'host');
      if (!context.node.config.upstreams.some((upstream) => upstream.name === name)) return undefined;
      target(context).host = name;
      return true;
    },
  },
  'kong.service.set_retries': access(({ live }, [retries]) => {
    live.retries = integerArgument(retries, 'retries', 0, 32_767);
  }),
  'kong.service.set_timeouts': access(({ live }, [connect, write, read]) => {
    const milliseconds = (value: LuaValue, name: string) => integerArgument(value, name, 1, 2 ** 31 - 2);
    live.timeouts = {
      connect: milliseconds(connect, 'connect_timeout'),
      write: milliseconds(write, 'write_timeout'),
      read: milliseconds(read, 'read_timeout'),
    };
  }),
  'kong.service.request.enable_buffering': set(({ live }) => {
    live.buffering = true;
  }),
  'kong.service.request.set_scheme': set((context, [scheme]) => {
    const text = stringArgument(scheme, 'scheme');
    if (text !== 'http' && text !== 'https') {
      throw new LuaError(`invalid scheme: ${text}`);
    }
    target(context).scheme = text;
  }),
  'kong.service.request.set_path': set((context, [path]) => {
    const text = stringArgument(path, 'path');
    if (!text.startsWith('/')) {
      throw new LuaError('path must start with /');
    }
    target(context).path = escapePath(text);
  }),
  'kong.service.request.set_raw_query': set(({ live }, [query]) => {
    live.query = stringArgument(query, 'query') || undefined;
  }),
  'kong.service.request.set_query': set(({ live }, [args]) => {
    live.query = encodeQuery(args) || undefined;
  }),
  'kong.service.request.clear_query_arg': set(({ live }, [name]) => {
    const args = new URLSearchParams(live.query);
    args.delete(stringArgument(name, 'query argument name'));
    live.query = args.toString() || undefined;
  }),
  'kong.service.request.set_method': set(({ live }, [method]) => {
    const text = stringArgument(method, 'method');
    if (!METHODS.has(text)) {
      throw new LuaError(`invalid method: ${text}`);
    }
    live.method = text;
  }),
  'kong.service.request.set_header': set((context, [name, value]) => {
    const header = headerName(name);
    setHeader(context.live, target(context), header, headerValues(header, value));
  }),
  'kong.service.request.add_header': set((context, [name, value]) => {
    const header = headerName(name);
    const values = [headerValues(header, value)].flat();
    const before = header.toLowerCase() === 'host' ? [] : context.live.headers.getAll(header);
    setHeader(context.live, target(context), header, [...before, ...values]);
  }),
  'kong.service.request.clear_header': set(({ live }, [name]) => {
    live.headers.remove(stringArgument(name, 'header'));
  }),
  'kong.service.request.set_headers': set((context, [headers]) => {
    for (const [name, values] of headerTable(headers)) {
      setHeader(context.live, target(context), name, values);
    }
  }),
  'kong.service.request.set_raw_body': set(({ live }, [body]) => {
    live.body.replace(Buffer.from(stringArgument(body, 'body'), 'latin1'));
  }),
  'kong.service.request.set_body': { phases: ['rewrite', 'access'], run: setBody },
};
