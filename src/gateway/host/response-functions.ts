import { errorBody } from '../http/error-body.js';
import { statusText } from '../http/status-text.js';
import { LuaError, type LuaValue, ResponseExit } from '../plugin-port.js';
import {
  headerName,
  headerTable,
  headerValues,
  isTable,
  limitArgument,
  stringArgument,
} from './arguments.js';
import { encodeJson } from './body.js';
import type { HostContext, HostFunctions, KongPhase } from './context.js';

const READ: readonly KongPhase[] = ['response', 'header_filter', 'body_filter', 'log', 'error', 'admin_api'];
const WRITE: readonly KongPhase[] = [
  ...(['rewrite', 'access', 'balancer', 'response', 'header_filter', 'error', 'admin_api'] as const),
];
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

function statusArgument(value: LuaValue): number {
  if (typeof value !== 'number') {
    throw new LuaError('code must be a number');
  }
  if (!(value >= 100 && value <= 599)) {
    throw new LuaError('code must be a number between 100 and 599');
  }
  return Math.floor(value);
}

function applyHeaders(context: HostContext, headers: LuaValue): void {
  for (const [name, values] of headers === undefined ? [] : headerTable(headers)) {
    if (spelled(name).toLowerCase() === 'transfer-encoding') {
      context.node.log('warn', '[kong] manually setting Transfer-Encoding. Ignored.');
    } else {
      context.live.responseHeaders.set(spelled(name), values);
    }
  }
}

function end(context: HostContext, status: number, body: string | undefined, headers: LuaValue): never {
  const { live } = context;
  // What the upstream said of its body does not hold for this one.
  live.responseHeaders.remove('content-length');
  applyHeaders(context, headers);
  live.exit = { status, body };
  live.responseStatus = status;
  live.source = 'exit';
  throw new ResponseExit();
}

function exit(context: HostContext, [code, body, headers]: readonly LuaValue[]): never {
  const status = statusArgument(code);
  if (headers !== undefined && !isTable(headers)) {
    throw new LuaError('headers must be a nil or table');
  }
  if (isTable(body)) {
    const typed =
      headers !== undefined && headerTable(headers).some(([name]) => name.toLowerCase() === 'content-type');
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
  const status = statusArgument(code);
  const { headers: sent, id } = context.live;
  const message = typeof text === 'string' ? text : statusText(status) || 'Unexpected error';
  const { type, body } = errorBody(message, id, sent.get('accept'), 'kong');
  context.live.responseHeaders.set('Content-Type', type);
  return end(context, status, body, headers);
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
    run: ({ live }, [name, value]) => {
      const header = headerName(name);
      live.responseHeaders.set(spelled(header), headerValues(header, value));
      return undefined;
    },
  },
  'kong.response.add_header': {
    phases: WRITE,
    run: ({ live }, [name, value]) => {
      const header = headerName(name);
      for (const one of [headerValues(header, value)].flat()) {
        live.responseHeaders.append(spelled(header), one);
      }
      return undefined;
    },
  },
  'kong.response.clear_header': {
    phases: WRITE,
    run: ({ live }, [name]) => {
      live.responseHeaders.remove(spelled(headerName(name)));
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
  'kong.response.exit': { phases: WRITE, run: exit },
  'kong.response.error': { phases: WRITE, run: error },
  // Allowed in a phase only that no plugin of this gateway has.
  'kong.response.get_raw_body': { phases: ['body_filter'], run: () => undefined },
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
    run: ({ live }) => live.upstreamBody?.toString('latin1') ?? '',
  },
};
