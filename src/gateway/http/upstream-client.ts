import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { PluginServerError } from '../../errors.js';
import type { Exchange, UpstreamTarget } from '../exchange.js';
import type { GatewayLog } from '../log.js';
import { upstreamHeaders } from './upstream-request.js';

/**
 * No answer from the upstream. `status` is what the client gets: 502, 504, 503 when there is no such host or no
 * target, or 499 when the client has gone. `again` says which requests nginx tries once more.
 */
export class UpstreamError extends PluginServerError {
  constructor(
    readonly status: 499 | 502 | 503 | 504,
    message: string,
    readonly again: 'any' | 'idempotent' | 'none' = 'none',
    options?: ErrorOptions,
  ) {
    super('UPSTREAM_FAILED', message, options);
  }
}

/**
 * Another address to connect to for a target; undefined: its own. The request stays the one for the target, its Host
 * header included. It is sent without TLS.
 */
export type Redirect = (target: UpstreamTarget) => { host: string; port: number } | undefined;

/** Sends requests to upstreams over pools of kept-alive connections. */
export class UpstreamClient {
  readonly #http = new http.Agent({ keepAlive: true });
  readonly #https = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
  readonly #redirect: Redirect | undefined;

  constructor(redirect?: Redirect) {
    this.#redirect = redirect;
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  /**
   * Sends the exchange's request and resolves with the upstream's response, its body unread. Where that fails it is
   * tried again up to the service's `retries`: always before it was sent, and if it may be repeated until an answer
   * has begun.
   *
   * @param pick says where each attempt goes
   *
   * @throws {UpstreamError}
   */
  async send(
    exchange: Exchange,
    pick: () => UpstreamTarget | undefined,
    gone: AbortSignal,
    log: GatewayLog,
  ): Promise<IncomingMessage> {
    const attempts = (exchange.retries ?? exchange.service?.retries ?? 0) + 1;
    for (let attempt = 1; ; attempt++) {
      const target = pick();
      if (target === undefined) throw new UpstreamError(503, 'failure to get a peer from the ring-balancer');
      try {
        return await this.#attempt(exchange, target, gone);
      } catch (error) {
        if (gone.aborted) {
          throw new UpstreamError(499, 'client closed the connection', 'none', { cause: error });
        }
        const { scheme, host, port } = target;
        log('error', `${(error as Error).message}, upstream: "${scheme}://${host}:${port}"`);
        const again = error instanceof UpstreamError ? error.again : 'none';
        if (attempt >= attempts || !(again === 'any' || (again === 'idempotent' && isRepeatable(exchange)))) {
          throw error;
        }
      }
    }
  }

  #attempt(exchange: Exchange, target: UpstreamTarget, gone: AbortSignal): Promise<IncomingMessage> {
    const address = this.#redirect?.(target) ?? target;
    const secure = address === target && target.scheme === 'https';
    const service = exchange.service;
    const { observer } = exchange;
    return new Promise((resolve, reject) => {
      const query = exchange.query === undefined ? '' : `?${exchange.query}`;
      const headers = upstreamHeaders(exchange, target);
      const request = (secure ? https : http).request({
        agent: secure ? this.#https : this.#http,
        host: address.host,
        port: address.port,
        method: exchange.method,
        path: target.path + query,
        headers,
        signal: gone,
        ...(secure ? { servername: target.hostHeader.replace(/:\d+$/, '') } : {}),
      });
      let connected = false;
      const timeouts = exchange.timeouts ?? {
        connect: service?.connect_timeout ?? 60_000,
        write: service?.write_timeout ?? 60_000,
        read: service?.read_timeout ?? 60_000,
      };
      const connectTimer = setTimeout(
        () => request.destroy(new UpstreamError(504, 'upstream timed out while connecting', 'any')),
        timeouts.connect,
      );
      const onConnected = () => {
        connected = true;
        clearTimeout(connectTimer);
        observer?.upstreamRequest({
          url: `${target.scheme}://${target.host}:${target.port}`,
          method: exchange.method,
          target: target.path + query,
          headers,
        });
        // Both are counted anew with every piece that goes out or comes in.
        request.once('finish', () => request.setTimeout(timeouts.read));
        request.setTimeout(timeouts.write, () => {
          // A client that is slow itself keeps nobody waiting: nginx would have read its body before.
          if (!request.writableFinished && request.socket?.writableLength === 0) return;
          request.destroy(new UpstreamError(504, 'upstream timed out', 'idempotent'));
        });
        sendBody(exchange, request);
      };
      request.on('socket', (socket) => {
        if (socket.connecting) {
          socket.once(secure ? 'secureConnect' : 'connect', onConnected);
        } else {
          onConnected();
        }
      });
      request.maxHeadersCount = 0;
      request.on('response', resolve);
      request.on('upgrade', (answer, socket, head) => {
        exchange.upstreamTunnel = { socket, head };
        resolve(answer);
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(connectTimer);
        reject(error instanceof UpstreamError ? error : upstreamError(error, connected));
      });
    });
  }
}

function upstreamError(cause: NodeJS.ErrnoException, connected: boolean): UpstreamError {
  const { code = cause.message } = cause;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new UpstreamError(503, 'name resolution failed', 'none', { cause });
  }
  if (!connected) return new UpstreamError(502, `connect() failed (${code})`, 'any', { cause });
  // An answer that is no HTTP is not asked for again.
  const again = code.startsWith('HPE_') ? 'none' : 'idempotent';
  return new UpstreamError(502, `upstream failed (${code})`, again, { cause });
}

/** nginx repeats these methods not once they were sent, and nobody can repeat a body that was passed on. */
function isRepeatable({ method, body }: Exchange): boolean {
  return !['POST', 'LOCK', 'PATCH'].includes(method) && (!body.announced || body.stored !== undefined);
}

/** Only once the connection stands: a body that was consumed could not be sent again. */
function sendBody(exchange: Exchange, request: ClientRequest): void {
  const { body, observer } = exchange;
  if (body.length === 0) {
    request.end();
    return;
  }
  const stream = body.stream();
  stream.on('error', (error) => request.destroy(error));
  if (observer !== undefined) {
    stream.on('data', (chunk: Buffer) => observer.upstreamRequestChunk(chunk));
  }
  stream.pipe(request);
}
