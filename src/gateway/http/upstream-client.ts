import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { PluginServerError } from '../../errors.js';
import type { Exchange, UpstreamTarget } from '../exchange.js';
import type { GatewayLog } from '../log.js';
import { upstreamHeaders } from './upstream-request.js';

/**
 * No answer from the upstream. `status` is what the client gets: 502, 504, 503 when there is no such host or no
 * target, or 499 when the client has gone.
 */
export class UpstreamError extends PluginServerError {
  constructor(
    readonly status: 499 | 502 | 503 | 504,
    message: string,
    options?: ErrorOptions,
  ) {
    super('UPSTREAM_FAILED', message, options);
  }
}

class ConnectError extends PluginServerError {
  constructor(cause: NodeJS.ErrnoException) {
    super('UPSTREAM_CONNECT_FAILED', `connect() failed (${cause.code ?? cause.message})`, { cause });
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
   * Sends the exchange's request and resolves with the upstream's response, its body unread. A connection that
   * cannot be made is tried again up to the service's `retries`; a request that was sent never is.
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
          throw new UpstreamError(499, 'client closed the connection', { cause: error });
        }
        const { message } = error as Error;
        log(
          'error',
          `${message} while connecting to upstream, upstream: "${target.scheme}://${target.host}:${target.port}"`,
        );
        if (!(error instanceof ConnectError)) {
          throw error;
        }
        const { code } = error.cause as NodeJS.ErrnoException;
        if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
          throw new UpstreamError(503, 'name resolution failed', { cause: error });
        }
        if (attempt >= attempts) {
          throw new UpstreamError(502, message, { cause: error });
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
      const connectTimer = setTimeout(
        () => {
          request.destroy(new UpstreamError(504, 'upstream timed out'));
        },
        exchange.timeouts?.connect ?? service?.connectTimeout ?? 60_000,
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
        request.setTimeout(exchange.timeouts?.read ?? service?.readTimeout ?? 60_000, () => {
          request.destroy(new UpstreamError(504, 'upstream timed out'));
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
        if (error instanceof UpstreamError) {
          reject(error);
        } else if (
          !connected ||
          (request.reusedSocket && error.code === 'ECONNRESET' && !exchange.body.announced)
        ) {
          reject(new ConnectError(error));
        } else {
          reject(
            new UpstreamError(502, `upstream failed (${error.code ?? error.message})`, { cause: error }),
          );
        }
      });
    });
  }
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
