import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Service } from './config/entities.js';
import { HeaderList } from './http/header-list.js';
import { RequestBody } from './http/request-body.js';
import type { ExchangeObserver } from './observer.js';
import type { LuaTable } from './plugin-port.js';
import { normalizePath } from './router/path.js';
import type { RouteMatch } from './router/router.js';

/** What an exchange is made of: node's request, or something that looks like one. */
export type ExchangeRequest = Readable &
  Pick<IncomingMessage, 'url' | 'method' | 'headers' | 'rawHeaders' | 'httpVersion'> & {
    readonly socket: {
      readonly remoteAddress?: string | undefined;
      readonly remotePort?: number | undefined;
      readonly localPort?: number | undefined;
    };
  };

/** Where a request is proxied to. Plugins may change every part. */
export interface UpstreamTarget {
  scheme: 'http' | 'https';
  host: string;
  port: number;
  /** Encoded for the request line, without the query. */
  path: string;
  /** The Host header. */
  hostHeader: string;
}

/** The response that `kong.response.exit` or `.error` decided. A body of undefined is nginx's own page. */
export interface ExitResponse {
  readonly status: number;
  /** One char per byte. */
  readonly body: string | undefined;
}

/** What kong.client.authenticate noted. */
export interface Identity {
  consumer: LuaTable | undefined;
  credential: LuaTable | undefined;
}

/** Times in milliseconds since 1970; undefined until they happen. */
export interface Timing {
  readonly started: number;
  upstreamStarted?: number;
  upstreamAnswered?: number;
  finished?: number;
}

/**
 * One request on its way through the gateway: what the client sent, what plugins changed of it, and what is
 * going to be answered.
 */
export class Exchange {
  readonly id = randomBytes(16).toString('hex');
  readonly timing: Timing = { started: Date.now() };
  /** As on the request line. */
  readonly target: string;
  readonly rawPath: string;
  /** Normalised, what routes match. */
  readonly path: string;
  /** Without `?`; undefined where the target has none. */
  query: string | undefined;
  method: string;
  /** As sent, before `set_method`. */
  readonly originalMethod: string;
  /** Lower case, without port; nginx's server name when the client sent none. */
  readonly host: string;
  /** The Host header as sent. */
  readonly hostHeader: string | undefined;
  readonly headers: HeaderList;
  readonly httpVersion: string;
  readonly clientIp: string;
  readonly clientPort: number;
  readonly localPort: number;
  readonly keepAlive: boolean;
  readonly body: RequestBody;

  match: RouteMatch | undefined;
  service: Service | undefined;
  upstream: UpstreamTarget | undefined;

  readonly shared: LuaTable = Object.create(null);
  readonly nginxContext: LuaTable = Object.create(null);
  readonly serializeValues: LuaTable = Object.create(null);
  identity: Identity = { consumer: undefined, credential: undefined };

  /** Response headers: those plugins set, then the upstream's once it answered. */
  responseHeaders = new HeaderList();
  responseStatus: number | undefined;
  /** Who made the response: `exit` a plugin, `error` the gateway, `service` the upstream. */
  source: 'exit' | 'error' | 'service' = 'error';
  exit: ExitResponse | undefined;
  upstreamStatus: number | undefined;
  upstreamBody: Buffer | undefined;
  responseBytes = 0;

  /** Who watches this request; usually nobody. */
  observer: ExchangeObserver | undefined;

  constructor(request: ExchangeRequest, bodyBufferBytes: number) {
    this.target = request.url ?? '/';
    const question = this.target.indexOf('?');
    const rawPath = question < 0 ? this.target : this.target.slice(0, question);
    // An absolute-form target names the host as well; nginx routes by its path.
    this.rawPath = rawPath.replace(/^https?:\/\/[^/]*/i, '') || '/';
    this.path = normalizePath(this.rawPath);
    this.query = question < 0 ? undefined : this.target.slice(question + 1);
    this.method = request.method ?? 'GET';
    this.originalMethod = this.method;
    this.headers = HeaderList.fromRaw(request.rawHeaders);
    this.hostHeader = this.headers.get('host');
    this.host = (this.hostHeader ?? 'kong').replace(/:\d+$/, '').toLowerCase();
    this.httpVersion = request.httpVersion;
    this.clientIp = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.clientPort = request.socket.remotePort ?? 0;
    this.localPort = request.socket.localPort ?? 0;
    const connection = (this.headers.get('connection') ?? '').toLowerCase();
    this.keepAlive =
      this.httpVersion === '1.1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
    this.body = new RequestBody(request, bodyBufferBytes);
  }

  watch(observer: ExchangeObserver | undefined): void {
    this.observer = observer;
    if (observer !== undefined) {
      this.body.onChunk = (chunk) => observer.clientChunk(chunk);
    }
  }
}
