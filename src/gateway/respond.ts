import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { errorBody } from '../pdk/error-body.js';
import type { Exchange } from './exchange.js';
import { HeaderList } from './http/header-list.js';
import { hopByHopNames } from './http/hop-by-hop.js';
import { type BodyFraming, composeHead, KONG_TOKEN } from './http/response-head.js';
import { nginxErrorPage, statusText } from './http/status-text.js';
import { type TunnelEnd, tunnel } from './http/tunnel.js';

/** Answers with what `kong.response.exit` decided. */
export function sendExit(exchange: Exchange, response: ServerResponse): void {
  const { exit, responseHeaders } = exchange;
  const status = exit?.status ?? 500;
  let body = exit?.body;
  if (body === undefined) {
    body = nginxErrorPage(status) ?? '';
    if (body !== '') {
      responseHeaders.set('Content-Type', 'text/html; charset=UTF-8');
    }
  }
  sendBuffered(exchange, response, status, statusText(status), Buffer.from(body, 'latin1'));
}

/**
 * Answers with one of Kong's error messages.
 *
 * @param origin `kong` where Kong's Lua makes the body, `nginx` where an error page of nginx's does
 */
export function sendError(
  exchange: Exchange,
  response: ServerResponse,
  status: number,
  origin: 'kong' | 'nginx',
  message?: string,
): void {
  const accept = exchange.headers.get('accept');
  const unasked = origin === 'kong' ? 'application/json' : 'text/plain';
  const { contentType, body } = errorBody(status, message, accept, exchange.id, unasked);
  // What Kong's Lua answers is an exit, like a plugin's; only its 500 for a failure is not.
  exchange.source = origin === 'kong' && status !== 500 ? 'exit' : 'error';
  exchange.responseHeaders.remove('content-length');
  exchange.responseHeaders.set('Content-Type', contentType);
  sendBuffered(exchange, response, status, statusText(status), Buffer.from(body, 'utf8'));
}

/** Answers with the buffered upstream response, as plugins left it. */
export function sendUpstreamBuffer(exchange: Exchange, response: ServerResponse, reason: string): void {
  const status = exchange.responseStatus ?? 200;
  const phrase = status === exchange.upstreamStatus ? reason : statusText(status);
  if (status === 204 || status === 304) {
    exchange.responseHeaders.remove('content-length');
    begin(exchange, response, { status, phrase, framing: 'none', keepAlive: exchange.keepAlive });
    response.end();
    return;
  }
  sendBuffered(exchange, response, status, phrase, exchange.upstreamBody ?? Buffer.alloc(0));
}

function sendBuffered(
  exchange: Exchange,
  response: ServerResponse,
  status: number,
  phrase: string,
  original: Buffer,
): void {
  const body = exchange.filters?.body?.(original) ?? original;
  const declared = exchange.responseHeaders.get('content-length');
  // A length that the plugin made up leaves the connection out of step, so it cannot be used again.
  const keepAlive = exchange.keepAlive && (declared === undefined || declared === String(body.length));
  begin(exchange, response, { status, phrase, framing: { length: body.length }, keepAlive });
  exchange.responseBytes += body.length;
  if (exchange.originalMethod === 'HEAD') {
    response.end();
    return;
  }
  exchange.observer?.responseChunk(body);
  response.end(body);
}

/** Takes over the upstream's status and headers, behind those that plugins set before. */
export function adoptUpstreamHead(
  exchange: Exchange,
  upstream: Pick<IncomingMessage, 'rawHeaders' | 'statusCode' | 'statusMessage'>,
): void {
  const headers = HeaderList.fromRaw(upstream.rawHeaders);
  exchange.upstreamHeaders = headers;
  exchange.observer?.upstreamResponse(
    upstream.statusCode ?? 502,
    upstream.statusMessage ?? '',
    upstream.rawHeaders,
  );
  const dropped = hopByHopNames(headers);
  for (const [name, value] of headers.lines) {
    if (!dropped.has(name.toLowerCase())) {
      exchange.responseHeaders.append(name, value);
    }
  }
  exchange.upstreamStatus = upstream.statusCode ?? 502;
  exchange.responseStatus = exchange.upstreamStatus;
  exchange.source = 'service';
}

/**
 * Passes the upstream's response on as it comes.
 *
 * @throws when the upstream breaks off or the client has gone
 */
export async function streamUpstream(
  exchange: Exchange,
  response: ServerResponse,
  upstream: IncomingMessage,
): Promise<void> {
  const status = exchange.responseStatus ?? 200;
  if (exchange.filters?.body !== undefined) {
    const chunks: Buffer[] = [];
    for await (const chunk of upstream as AsyncIterable<Buffer>) chunks.push(chunk);
    sendBuffered(exchange, response, status, upstream.statusMessage ?? '', Buffer.concat(chunks));
    return;
  }
  begin(exchange, response, {
    status,
    phrase: upstream.statusMessage ?? '',
    framing: framingOf(exchange, upstream, status),
    keepAlive: exchange.keepAlive,
  });
  const { observer } = exchange;
  upstream.on('data', (chunk: Buffer) => {
    exchange.responseBytes += chunk.length;
    observer?.upstreamResponseChunk(chunk);
    observer?.responseChunk(chunk);
  });
  await pipeline(upstream, response);
}

/** Passes a WebSocket's handshake on, and then its bytes until it is over. */
export async function switchProtocols(
  exchange: Exchange,
  response: ServerResponse,
  client: TunnelEnd,
  upstream: TunnelEnd,
): Promise<void> {
  const status = exchange.responseStatus ?? 101;
  exchange.responseHeaders.append('Upgrade', 'websocket');
  begin(exchange, response, {
    status,
    phrase: 'Switching Protocols',
    framing: 'none',
    keepAlive: false,
    upgrade: true,
  });
  const sent = once(response, 'finish');
  response.end();
  await sent;
  response.detachSocket(client.socket as Socket);
  await tunnel(client, upstream);
}

function framingOf(exchange: Exchange, upstream: IncomingMessage, status: number): BodyFraming {
  const bodiless = exchange.originalMethod === 'HEAD' || status === 204 || status === 304;
  if (bodiless || upstream.headers['content-length'] !== undefined) {
    return 'none';
  }
  return exchange.httpVersion === '1.1' ? 'chunked' : 'close';
}

interface Head {
  readonly status: number;
  readonly phrase: string;
  readonly framing: BodyFraming;
  readonly keepAlive: boolean;
  readonly upgrade?: boolean;
}

/** Writes the head: Kong's own headers behind the response's, in the order Kong adds them. */
function begin(exchange: Exchange, response: ServerResponse, head: Head): void {
  exchange.filters?.head();
  const { responseHeaders: headers, timing } = exchange;
  const now = Date.now();
  timing.finished = now;
  exchange.responseStatus = head.status;
  const { framing } = head;
  if (typeof framing === 'object' && !headers.has('content-length')) {
    headers.append('Content-Length', String(framing.length));
  }
  if (timing.upstreamStarted === undefined) {
    headers.append('X-Kong-Response-Latency', String(now - timing.started));
    headers.append('Server', KONG_TOKEN);
  } else {
    if (!headers.has('server')) {
      headers.append('Server', KONG_TOKEN);
    }
    const answered = timing.upstreamAnswered ?? now;
    headers.append('X-Kong-Upstream-Latency', String(answered - timing.upstreamStarted));
    headers.append('X-Kong-Proxy-Latency', String(timing.upstreamStarted - timing.started));
    headers.set('Via', [...headers.getAll('via'), `1.1 ${KONG_TOKEN}`].join(', '));
  }
  headers.append('X-Kong-Request-Id', exchange.id);
  const keepAlive = head.keepAlive && framing !== 'close';
  const connection = head.upgrade === true ? 'upgrade' : keepAlive ? 'keep-alive' : 'close';
  const raw = composeHead(headers, { connection, framing });
  response.sendDate = false;
  response.writeHead(head.status, head.phrase, raw);
  exchange.observer?.response(head.status, head.phrase, raw);
  // The log phase sees the headers as they went out.
  exchange.responseHeaders = HeaderList.fromRaw(raw);
}
