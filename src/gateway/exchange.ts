import { randomBytes } from 'node:crypto';
import type { Service } from './config/entities.js';
import { HeaderList } from './http/header-list.js';
import { type ExchangeRequest, RequestBody } from './http/request-body.js';
import type { TunnelEnd } from './http/tunnel.js';
import type { ExchangeObserver } from './observer.js';
import type { LuaTable, LuaValue } from './plugin-port.js';
import { normalizePath } from './router/path.js';
import type { RouteMatch } from './router/router.js';

export type { ExchangeRequest };

/** Where a request is proxied to. Plugins may change every part. */
export interface UpstreamTarget {
  scheme: 'http' | 'https';
  host: string;
  port: number;
  /** Encoded for the request line, without the query. */
  path: string;
  /** The Host header. */
  hostHeader: string;
  /** The Host header was chosen: by `preserve_host` or by a plugin. */
  ownHost: boolean;
}

/** The response that `kong.response.exit` or `.error` decided. A body of undefined is nginx's own page. */
export interface ExitResponse {
  readonly status: number;
  /** One char per byte. */
  readonly body: string | undefined;
}

/** What kong.log.set_serialize_value noted: `add` only where there is nothing, `replace` only where there is. */
export interface SerializeValue {
  readonly key: string;
  readonly value: LuaValue;
  readonly mode: 'set' | 'add' | 'replace';
}

/** What kong.client.authenticate noted. */
export interface Identity {
  consumer: LuaTable | undefined;
  credential: LuaTable | undefined;
}

/** Functions that a response passes on its way out. @throws {ResponseFilterError} */
export interface ResponseFilters {
  /** Before its head is written. */
  readonly head: () => void;
  /** With its whole body; absent when nobody wants that. */
  readonly body: ((body: Buffer) => Buffer) | undefined;
}

/** Times in milliseconds since 1970; undefined until they happen. */
export interface Timing {
  readonly started: number;
  upstreamStarted?: number;
  upstreamAnswered?: number;
  finished?: number;
}

/** nginx drops headers whose names have other characters. */
const isVisibleName = (name: string) => /^[\w-]+$/.test(name);
/** Of ASCII only: a host may have bytes that are letters in Latin-1. */
const lowerCase = (letters: string) => letters.toLowerCase();

/** Begins to watch an exchange; undefined: nobody wants to. */
export type Observe = (exchange: Exchange) => ExchangeObserver | undefined;

/**
 * One request on its way through the gateway: what the client sent, what plugins changed of it, and what is
 * going to be answered.
 */
export class Exchange {
  readonly id = randomBytes(16).toString('hex');
  readonly timing: Timing = { started: Date.now() };
  /** As on the request line, a scheme and host included. */
  readonly rawTarget: string;
  /** The request line names the host as well, `GET http://x/ HTTP/1.1`: nginx goes by the path behind it. */
  readonly absolute: boolean;
  /** From the path on. */
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
  /** What plugins put into the log serializer's table, in order. */
  readonly serializeValues: SerializeValue[] = [];
  identity: Identity = { consumer: undefined, credential: undefined };

  /** Response headers: those plugins set, then the upstream's once it answered. */
  responseHeaders = new HeaderList();
  responseStatus: number | undefined;
  /** Who made the response: `exit` a plugin, `error` the gateway, `service` the upstream. */
  source: 'exit' | 'error' | 'service' = 'error';
  exit: ExitResponse | undefined;
  upstreamStatus: number | undefined;
  upstreamBody: Buffer | undefined;
  /** What the upstream answered, whatever plugins make of it. */
  upstreamHeaders = new HeaderList();
  /** What a plugin put in place of the service's. Milliseconds. */
  retries: number | undefined;
  timeouts: { connect: number; write: number; read: number } | undefined;
  /** A plugin asked for the whole response of the upstream. */
  buffering = false;
  /** The client's end, when it asked for a WebSocket. */
  tunnel: TunnelEnd | undefined;
  /** The upstream's end, once it has agreed. */
  upstreamTunnel: TunnelEnd | undefined;
  responseBytes = 0;

  /** What Lua's `body_filter` sees and replaces, one char per byte. */
  filteredBody: string | undefined;
  /** What Lua's functions do to the response on its way out. */
  filters: ResponseFilters | undefined;

  /** Who watches this request; usually nobody. */
  observer: ExchangeObserver | undefined;

  constructor(request: ExchangeRequest, bodyBufferBytes: number) {
    this.rawTarget = request.url ?? '/';
    const [, authority, rest] = /^https?:\/\/([^/?]*)(.*)$/i.exec(this.rawTarget) ?? [];
    this.absolute = authority !== undefined;
    this.target = rest === undefined ? this.rawTarget : rest.replace(/^(?!\/)/, '/');
    const question = this.target.indexOf('?');
    this.rawPath = question < 0 ? this.target : this.target.slice(0, question);
    this.path = normalizePath(this.rawPath);
    this.query = question < 0 ? undefined : this.target.slice(question + 1).replace(/#.*$/, '');
    this.method = request.method ?? 'GET';
    this.originalMethod = this.method;
    this.headers = HeaderList.fromRaw(request.rawHeaders);
    this.headers.retain(isVisibleName);
    this.hostHeader = this.headers.get('host');
    this.host = (authority ?? this.hostHeader ?? 'kong').replace(/:\d*$/, '').replace(/[A-Z]+/g, lowerCase);
    this.httpVersion = request.httpVersion;
    this.clientIp = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.clientPort = request.socket.remotePort ?? 0;
    this.localPort = request.socket.localPort ?? 0;
    const connection = (this.headers.get('connection') ?? '').toLowerCase();
    this.keepAlive =
      this.httpVersion === '1.1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
    this.body = new RequestBody(request, bodyBufferBytes);
  }

  /** The id of the consumer that a plugin has named. */
  get consumerId(): string | undefined {
    const id = this.identity.consumer?.id;
    return typeof id === 'string' ? id : undefined;
  }

  watch(observer: ExchangeObserver | undefined): void {
    this.observer = observer;
    if (observer !== undefined) {
      this.body.onChunk = (chunk) => observer.clientChunk(chunk);
    }
  }
}
