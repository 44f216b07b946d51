import type { Exchange, UpstreamTarget } from '../exchange.js';
import { HeaderList } from './header-list.js';
import { hopByHopNames } from './hop-by-hop.js';
import { KONG_TOKEN } from './response-head.js';

/** Headers that the gateway writes itself, whatever the client sent under these names. */
const OWN = new Set([
  ...['host', 'via', 'content-length', 'expect', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'],
  ...['x-forwarded-port', 'x-forwarded-path', 'x-forwarded-prefix', 'x-real-ip', 'x-kong-request-id'],
]);

/** Methods that node sends without a body as they are; the others need a length, or it would send chunks. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** What the route strips of the path; undefined where that is nothing. */
export function forwardedPrefix({ match }: Exchange): string | undefined {
  const prefix = match?.route.strip_path === true ? match.matchedPath : undefined;
  return prefix === '/' ? undefined : prefix;
}

/** The head of the request to the upstream, in Kong's order: its own headers first, then the client's. */
export function upstreamHeaders(exchange: Exchange, target: UpstreamTarget): string[] {
  const { headers } = exchange;
  const list = new HeaderList();
  const via = `1.1 ${KONG_TOKEN}`;
  list.append('Via', [...headers.getAll('via'), via].join(', '));
  list.append('Host', target.hostHeader);
  list.append('Connection', exchange.tunnel === undefined ? 'keep-alive' : 'keep-alive, Upgrade');
  if (exchange.tunnel !== undefined) list.append('Upgrade', 'websocket');
  list.append('X-Forwarded-For', [...headers.getAll('x-forwarded-for'), exchange.clientIp].join(', '));
  list.append('X-Forwarded-Proto', 'http');
  list.append('X-Forwarded-Host', exchange.host);
  list.append('X-Forwarded-Port', String(exchange.localPort));
  list.append('X-Forwarded-Path', exchange.rawPath);
  const prefix = forwardedPrefix(exchange);
  if (prefix !== undefined) list.append('X-Forwarded-Prefix', prefix);
  list.append('X-Real-IP', exchange.clientIp);
  list.append('X-Kong-Request-Id', exchange.id);
  const length = exchange.body.length;
  if (length === undefined) {
    list.append('Transfer-Encoding', 'chunked');
  } else if (
    length > 0 ||
    headers.has('content-length') ||
    exchange.body.replaced ||
    !BODILESS.has(exchange.method)
  ) {
    list.append('Content-Length', String(length));
  }
  const dropped = hopByHopNames(headers);
  for (const [name, value] of headers.lines) {
    const key = name.toLowerCase();
    if (!OWN.has(key) && !dropped.has(key)) {
      list.append(name, value);
    }
  }
  return list.toRaw();
}
