import { WORKSPACE_ID } from '../config/entities.js';
import type { Exchange, SerializeValue } from '../exchange.js';
import { LuaError, type LuaTable } from '../plugin-port.js';
import { isTable } from './arguments.js';
import { encodeJson } from './body.js';
import { entityTable } from './entity-tables.js';
import { parseQuery } from './query.js';

/** The JSON text of `kong.log.serialize`: request, response, latencies, route, service, and what plugins added. */
export function serializeExchange(exchange: Exchange): string {
  const { timing, match, service } = exchange;
  const finished = timing.finished ?? Date.now();
  const proxied = timing.upstreamStarted !== undefined;
  const proxy = proxied ? (timing.upstreamAnswered ?? finished) - (timing.upstreamStarted as number) : -1;
  const receive = timing.upstreamAnswered === undefined ? 0 : finished - timing.upstreamAnswered;
  const host = exchange.host.includes(':') ? exchange.host : `${exchange.host}:${exchange.localPort}`;
  const table: LuaTable = {
    latencies: {
      request: finished - timing.started,
      kong: Math.max(0, finished - timing.started - Math.max(0, proxy) - receive),
      proxy,
      receive,
    },
    request: {
      id: exchange.id,
      method: exchange.method,
      uri: exchange.target,
      url: `http://${host}${exchange.target}`,
      size: requestBytes(exchange),
      querystring: parseQuery(exchange.query ?? '', 100),
      headers: exchange.headers.toMultiMap(1000),
    },
    response: {
      status: exchange.responseStatus,
      size: exchange.responseBytes,
      headers: exchange.responseHeaders.toMultiMap(1000),
    },
    client_ip: exchange.clientIp,
    started_at: timing.started,
    source: { service: 'upstream', exit: 'kong', error: 'kong' }[exchange.source],
    workspace: WORKSPACE_ID,
    workspace_name: 'default',
    tries: proxied && exchange.upstream !== undefined ? [attempt(exchange)] : {},
  };
  if (exchange.upstreamStatus !== undefined) {
    table.upstream_status = String(exchange.upstreamStatus);
  }
  if (exchange.upstream !== undefined) {
    table.upstream_uri = exchange.upstream.path + (exchange.query ? `?${exchange.query}` : '');
  }
  if (match !== undefined) {
    table.route = entityTable(match.route);
  }
  if (service !== undefined) {
    table.service = entityTable(service);
  }
  if (exchange.identity.consumer !== undefined) {
    table.consumer = exchange.identity.consumer;
  }
  for (const added of exchange.serializeValues) put(table, added.key.split('.'), added);
  return encodeJson(table);
}

function attempt({ upstream, timing }: Exchange): LuaTable {
  return {
    ip: upstream?.host,
    port: upstream?.port,
    balancer_start: timing.upstreamStarted,
    balancer_latency: 0,
  };
}

/** Request line, headers and the empty line; the body where its length was announced. */
function requestBytes(exchange: Exchange): number {
  const line = `${exchange.originalMethod} ${exchange.target} HTTP/${exchange.httpVersion}\r\n`;
  const headers = exchange.headers.lines.reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    0,
  );
  return line.length + headers + 2 + (exchange.body.length ?? 0);
}

function put(table: LuaTable, [name = '', ...rest]: readonly string[], added: SerializeValue): void {
  const { key, value, mode } = added;
  const existing = table[name];
  if (rest.length === 0) {
    if (mode === 'set' || (existing !== undefined) === (mode === 'replace')) table[name] = value;
  } else if (existing !== undefined && !isTable(existing)) {
    throw new LuaError(`The key '${key}' could not be used as a serialize value: '${name}' is no table`);
  } else if (existing !== undefined || mode !== 'replace') {
    const inner = (existing ?? {}) as LuaTable;
    table[name] = inner;
    put(inner, rest, added);
  }
}
