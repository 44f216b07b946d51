import { errorBody } from '../../pdk/error-body.js';
import type { Exchange } from '../exchange.js';
import { grpcExit, isGrpcRequest } from '../http/grpc.js';
import { LuaError, type LuaValue, ResponseExit } from '../plugin-port.js';
import {
  headerName,
  headerTable,
  headerValues,
  isTable,
  isToken,
  limitArgument,
  stringArgument,
} from './arguments.js';
import { encodeJson, parseBody } from './body.js';
import {
  checkPhase,
  getter,
  type HostContext,
  type HostFunctions,
  type KongPhase,
  setter,
} from './context.js';

const READ: readonly KongPhase[] = ['response', 'header_filter', 'body_filter', 'log', 'error', 'admin_api'];
const WRITE: readonly KongPhase[] = [
  ...(['rewrite', 'access', 'balancer', 'response', 'header_filter', 'error', 'admin_api'] as const),
];
/** How nginx may end a TCP connection. */
const STREAM_STATUSES: readonly LuaValue[] = [200, 400, 403, 500, 502, 503];
const SERVICE: readonly KongPhase[] = ['response', 'header_filter', 'body_filter', 'log'];

/** nginx writes underscores in response headers as hyphens. */
const spelled = (name: string) => name.replaceAll('_', '-');

/** What get_headers of a response shows: nginx adds its own Connection. */
function shownHeaders({ exchange, phase }: HostContext, max: number): LuaValue {
  const map = exchange.responseHeaders.toMultiMap(max);
  map.connection ??= exchange.keepAlive ? 'keep-alive' : 'close';
  if (phase !== 'log' && typeof map['content-type'] === 'string') {
    map['content-type'] = map['content-type'].replace(/^([^;]+);.*$/s, '$1');
  }
  return map;
}

function statusArgument(value: LuaValue, lowest = 100): number {
  if (typeof value !== 'number') {
    throw new LuaError('code must be a number');
  }
  if (!(value >= lowest && value <= 599)) {
    throw new LuaError(`code must be a number between ${lowest} and 599`);
  }
  return Math.floor(value);
}

function applyHeaders(context: HostContext, headers: ReturnType<typeof headerTable>): void {
  for (const [name, values] of headers) setHeader(context, name, values);
}

function end(context: HostContext, status: number, body: string | undefined, headers: LuaValue): never {
  const { live } = context;
  // What the upstream said of its body does not hold for this one.
  live.responseHeaders.remove('content-length');
  applyHeaders(context, headers === undefined ? [] : headerTable(headers));
  live.exit = { status, body: grpcExit(live, status, body) };
  live.responseStatus = status;
  live.source = 'exit';
  throw new ResponseExit();
}

function exit(context: HostContext, [code, body, headers]: readonly LuaValue[]): never {
  // For TCP, Kong looks at the status and not at the phase.
  if (context.phase !== 'preread') checkPhase(context.phase, WRITE);
  else if (typeof code === 'number' && !STREAM_STATUSES.includes(code)) {
    throw new LuaError('unacceptable code, only 200, 400, 403, 500, 502 and 503 are accepted');
  }
  const status = statusArgument(code);
  if (headers !== undefined && !isTable(headers)) {
    throw new LuaError('headers must be a nil or table');
  }
  if (isTable(body)) {
    const typed =
      headers !== undefined && headerTable(headers).some(([name]) => name.toLowerCase() === 'content-type');
    const message = Array.isArray(body) ? undefined : body.message;
    if (!typed && !context.live.responseHeaders.has('content-type') && isGrpcRequest(context.live)) {
      return end(context, status, typeof message === 'string' ? message : undefined, headers);
    }
    if (!typed) {
      context.live.responseHeaders.set('Content-Type', 'application/json; charset=utf-8');
    }
    return end(context, status, encodeJson(body), headers);
  }
  if (body !== undefined && typeof body !== 'string') {
    throw new LuaError('body must be a nil, string or table');
  }
  return end(context, status, body, headers);
}

function error(context: HostContext, [code, text, headers]: readonly LuaValue[]): never {
  const status = statusArgument(code, 400);
  const { headers: sent, id } = context.live;
  const message = isTable(text) ? encodeJson(text) : text;
  if (message !== undefined && typeof message !== 'string') {
    throw new LuaError('message must be a nil, a string or a table');
  }
  if (headers !== undefined && !isTable(headers)) throw new LuaError('headers must be a nil or table');
  const { contentType, body } = errorBody(status, message, sent.get('accept'), id);
  if (isGrpcRequest(context.live)) {
    context.live.responseHeaders.set('Content-Type', 'application/grpc');
    return end(context, status, undefined, headers);
  }
  context.live.responseHeaders.set('Content-Type', contentType);
  return end(context, status, body, headers);
}

function bufferedBody({ buffering, upstreamBody }: Exchange): string {
  if (upstreamBody === undefined && !buffering) {
    throw new LuaError(
      'service body is only available with buffered proxying (see: kong.service.request.enable_buffering function)',
    );
  }
  return upstreamBody?.toString('latin1') ?? '';
}

/** Sets a response header, or leaves it out where node could not send it. */
function setHeader(context: HostContext, name: string, values: string | string[], append = false): void {
  const header = spelled(name);
  if (header.toLowerCase() === 'transfer-encoding') {
    context.node.log('warn', '[kong] manually setting Transfer-Encoding. Ignored.');
    return;
  }
  if (!isToken(header)) {
    context.node.log(
      'warn',
      `[kong] header name "${header}": Kong would send it, the local gateway leaves it out`,
    );
    return;
  }
  const { responseHeaders } = context.live;
  if (header.toLowerCase() === 'content-length' && [values].flat().some((value) => !/^\d+$/.test(value))) {
    throw new LuaError(`failed to set header ${header} (error: -1)`);
  }
  if (!append) responseHeaders.set(header, values);
  else for (const one of [values].flat()) responseHeaders.append(header, one);
}

const read = getter(READ);
const write = setter(WRITE);
const service = getter(SERVICE);

/** `kong.response` and `kong.service.response`. */
export const responseFunctions: HostFunctions = {
  'kong.response.get_status': read(({ exchange }) => exchange.responseStatus),
  'kong.response.get_header': read(({ exchange }, [name]) =>
    exchange.responseHeaders.get(spelled(stringArgument(name, 'header name'))),
  ),
  'kong.response.get_headers': read((context, [max]) =>
    shownHeaders(context, limitArgument(max, 'max_headers')),
  ),
  'kong.response.get_source': read(({ exchange }) => exchange.source),
  'kong.response.set_status': write(({ live }, [code]) => {
    live.responseStatus = statusArgument(code);
  }),
  'kong.response.set_header': write((context, [name, value]) => {
    const header = headerName(name);
    setHeader(context, header, headerValues(header, value));
  }),
  'kong.response.add_header': write((context, [name, value]) => {
    const header = headerName(name);
    setHeader(context, header, headerValues(header, value), true);
  }),
  'kong.response.clear_header': write(({ live }, [name]) => {
    live.responseHeaders.remove(spelled(stringArgument(name, 'header name')));
  }),
  'kong.response.set_headers': write((context, [headers]) => applyHeaders(context, headerTable(headers))),
  'kong.response.exit': setter()(exit),
  'kong.response.error': write(error),
  // In the phase that only Lua's functions have, where the body comes in one piece.
  'kong.response.get_raw_body': getter(['body_filter'])(({ live }) => live.filteredBody),
  'kong.response.set_raw_body': setter(['body_filter'])(({ live }, [body]) => {
    live.filteredBody = stringArgument(body, 'body');
  }),
  'kong.service.response.get_status': service(({ live }) => live.upstreamStatus),
  'kong.service.response.get_header': service(({ live }, [name]) =>
    live.upstreamHeaders.get(spelled(stringArgument(name, 'name'))),
  ),
  // Kong 3.9 finds no headers once it has buffered the response, which is the only way to get here.
  'kong.service.response.get_headers': service(
    (context, [max]) => limitArgument(max, 'max_headers') && context.live && {},
  ),
  'kong.service.response.get_raw_body': service(({ live }) => bufferedBody(live)),
  'kong.service.response.get_body': service(({ live }, [mimetype, maxArgs]) => {
    const type = mimetype ?? live.upstreamHeaders.get('content-type');
    const body = bufferedBody(live);
    return type === undefined ? undefined : parseBody(body, stringArgument(type, 'mimetype'), maxArgs);
  }),
};
