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
import { checkPhase, type HostContext, type HostFunctions, type KongPhase } from './context.js';

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

function applyHeaders(context: HostContext, headers: LuaValue): void {
  for (const [name, values] of headers === undefined ? [] : headerTable(headers))
    setHeader(context, name, values);
}

function end(context: HostContext, status: number, body: string | undefined, headers: LuaValue): never {
  const { live } = context;
  // What the upstream said of its body does not hold for this one.
  live.responseHeaders.remove('content-length');
  applyHeaders(context, headers);
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

/** `kong.response` and `kong.service.response`. */
export const responseFunctions: HostFunctions = {
  'kong.response.get_status': { phases: READ, run: ({ exchange }) => exchange.responseStatus },
  'kong.response.get_header': {
    phases: READ,
    run: ({ exchange }, [name]) => exchange.responseHeaders.get(spelled(stringArgument(name, 'header name'))),
  },
  'kong.response.get_headers': {
    phases: READ,
    run: (context, [max]) => shownHeaders(context, limitArgument(max, 'max_headers')),
  },
  'kong.response.get_source': { phases: READ, run: ({ exchange }) => exchange.source },
  'kong.response.set_status': {
    phases: WRITE,
    run: ({ live }, [code]) => {
      live.responseStatus = statusArgument(code);
      return undefined;
    },
  },
  'kong.response.set_header': {
    phases: WRITE,
    run: (context, [name, value]) => {
      const header = headerName(name);
      setHeader(context, header, headerValues(header, value));
      return undefined;
    },
  },
  'kong.response.add_header': {
    phases: WRITE,
    run: (context, [name, value]) => {
      const header = headerName(name);
      setHeader(context, header, headerValues(header, value), true);
      return undefined;
    },
  },
  'kong.response.clear_header': {
    phases: WRITE,
    run: ({ live }, [name]) => {
      live.responseHeaders.remove(spelled(stringArgument(name, 'header name')));
      return undefined;
    },
  },
  'kong.response.set_headers': {
    phases: WRITE,
    run: (context, [headers]) => {
      if (!isTable(headers)) {
        throw new LuaError('headers must be a table');
      }
      applyHeaders(context, headers);
      return undefined;
    },
  },
  'kong.response.exit': { run: exit },
  'kong.response.error': { phases: WRITE, run: error },
  // In the phase that only Lua's functions have, where the body comes in one piece.
  'kong.response.get_raw_body': { phases: ['body_filter'], run: ({ live }) => live.filteredBody },
  'kong.response.set_raw_body': {
    phases: ['body_filter'],
    run: ({ live }, [body]) => {
      live.filteredBody = stringArgument(body, 'body');
      return undefined;
    },
  },
  'kong.service.response.get_status': { phases: SERVICE, run: ({ live }) => live.upstreamStatus },
  'kong.service.response.get_header': {
    phases: SERVICE,
    run: ({ live }, [name]) => live.upstreamHeaders.get(spelled(stringArgument(name, 'name'))),
  },
  'kong.service.response.get_headers': {
    phases: SERVICE,
    // Kong 3.9 finds no headers once it has buffered the response, which is the only way to get here.
    run: (context, [max]) => {
      limitArgument(max, 'max_headers');
      return context.live && {};
    },
  },
  'kong.service.response.get_raw_body': {
    phases: SERVICE,
    run: ({ live }) => bufferedBody(live),
  },
  'kong.service.response.get_body': {
    phases: SERVICE,
    run: ({ live }, [mimetype, maxArgs]) => {
      const type = mimetype ?? live.upstreamHeaders.get('content-type');
      const body = bufferedBody(live);
      return type === undefined ? undefined : parseBody(body, stringArgument(type, 'mimetype'), maxArgs);
    },
  },
};
