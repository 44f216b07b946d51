import { readFileSync } from 'node:fs';
import type { StoredBody } from '../http/request-body.js';
import { forwardedPrefix } from '../http/upstream-request.js';
import type { LuaValue } from '../plugin-port.js';
import { limitArgument, stringArgument } from './arguments.js';
import { parseBody } from './body.js';
import { getter, type HostContext, type HostFunctions, type KongPhase } from './context.js';
import { parseQuery } from './query.js';

const ANY_HTTP: readonly KongPhase[] = [
  ...([
    'rewrite',
    'access',
    'response',
    'header_filter',
    'body_filter',
    'log',
    'error',
    'admin_api',
  ] as const),
];
const BODY: readonly KongPhase[] = ['rewrite', 'access', 'response', 'error', 'admin_api'];

/**
 * As Kong looks a header up: under nginx's name of it, which makes no difference between `-` and `_` and joins repeated
 * lines; where the lines cannot be told apart from commas in one, the first.
 */
function lookUp(context: HostContext, name: string): string | undefined {
  const { headers } = context.exchange;
  const variable = (text: string) => text.toLowerCase().replaceAll('-', '_');
  const wanted = variable(name);
  const values = headers.lines.filter(([key]) => variable(key) === wanted).map(([, value]) => value);
  if (values.length === 0) return undefined;
  const joined = values.join(wanted === 'cookie' ? '; ' : ', ');
  return joined.includes(', ') ? (headers.get(name) ?? headers.get(name.replaceAll('_', '-'))) : joined;
}

/** At once when the body has been read already: Lua's functions cannot wait. */
function withBody<T extends LuaValue>(context: HostContext, use: (stored: StoredBody) => T): T | Promise<T> {
  const { body } = context.live;
  return body.stored === undefined ? body.read().then(use) : use(body.stored);
}

/** A body in a file is read where the caller says how large it may be, 0 for any size. */
function rawBody(context: HostContext, [max]: readonly LuaValue[]): LuaValue | Promise<LuaValue> {
  return withBody(context, (stored): LuaValue => {
    if (!('file' in stored)) return { content: stored.content.toString('latin1') };
    const fits = typeof max === 'number' && (max === 0 || (max > 0 && stored.bytes <= max));
    return fits ? { content: readFileSync(stored.file, 'latin1') } : { body_filepath: stored.file };
  });
}

function decodedBody(
  context: HostContext,
  [mimetype, maxArgs]: readonly LuaValue[],
): LuaValue | Promise<LuaValue> {
  const type = mimetype === undefined ? context.exchange.headers.get('content-type') : mimetype;
  if (type === undefined) {
    return undefined;
  }
  return withBody(context, (stored) =>
    'file' in stored
      ? undefined
      : parseBody(stored.content.toString('latin1'), stringArgument(type, 'mimetype'), maxArgs),
  );
}

const get = getter(ANY_HTTP);
const body = getter(BODY);

/** `kong.request`. */
export const requestFunctions: HostFunctions = {
  'kong.request.get_scheme': get(({ live }) => live && 'http'),
  'kong.request.get_host': get(({ live }) => live.host),
  'kong.request.get_port': get(({ live }) => live.localPort),
  // Without trusted_ips Kong believes no X-Forwarded-* header, so the forwarded values are its own.
  'kong.request.get_forwarded_scheme': get(({ live }) => live && 'http'),
  'kong.request.get_forwarded_host': get(({ live }) => live.host),
  'kong.request.get_forwarded_port': get(({ live }) => live.localPort),
  'kong.request.get_forwarded_path': get(({ live }) => live.path),
  'kong.request.get_forwarded_prefix': get(({ live }) => forwardedPrefix(live)),
  'kong.request.get_http_version': get(({ live }) => Number(live.httpVersion)),
  'kong.request.get_method': get(({ live }) => live.method),
  'kong.request.get_path': get(({ live }) => live.path),
  'kong.request.get_raw_path': get(({ live }) => live.rawPath),
  'kong.request.get_path_with_query': get(({ live }) => live.target),
  'kong.request.get_raw_query': get(({ live }) => live.query ?? ''),
  'kong.request.get_start_time': get(({ exchange }) => exchange.timing.started),
  'kong.request.get_query_arg': get(({ live }, [name]) => {
    const value = parseQuery(live.query ?? '', 100)[stringArgument(name, 'query argument name')];
    return Array.isArray(value) ? value[0] : value;
  }),
  'kong.request.get_query': get((context, [max]) => {
    const limit = limitArgument(max, 'max_args');
    return parseQuery(context.live.query ?? '', limit);
  }),
  'kong.request.get_header': get((context, [name]) => lookUp(context, stringArgument(name, 'header name'))),
  'kong.request.get_headers': get(({ exchange }, [max]) =>
    exchange.headers.toMultiMap(limitArgument(max, 'max_headers')),
  ),
  'kong.request.get_raw_body': body(rawBody),
  'kong.request.get_body': body(decodedBody),
  'kong.request.get_uri_captures': get(({ exchange }) => {
    const { captures = [], namedCaptures = {} } = exchange.match ?? {};
    return { unnamed: Object.fromEntries(captures.entries()), named: { ...namedCaptures } };
  }),
};
