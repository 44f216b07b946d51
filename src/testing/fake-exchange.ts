import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pluginCatalog } from '../gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../gateway/config/parse.js';
import { formatProblem } from '../gateway/config/problems.js';
import { Exchange } from '../gateway/exchange.js';
import { targetOf } from '../gateway/handle.js';
import type { GatewayNode } from '../gateway/host/context.js';
import type { ExchangeObserver } from '../gateway/observer.js';
import type { PlannedPlugin } from '../gateway/plan.js';
import { Router } from '../gateway/router/router.js';
import type { ExchangeRecord } from '../inspector/record.js';
import { Recorder } from '../inspector/recorder.js';
import type { Phase } from '../plugin/definition.js';
import { TestKitError } from './errors.js';
import { bytesOf, type HeadersInit, headerInit } from './headers.js';

/** The request, and what Kong's configuration says of it. */
export interface FakeExchangeOptions {
  readonly request?: {
    /** Default GET. */
    readonly method?: string;
    /** With the query. Default "/". */
    readonly path?: string;
    readonly headers?: HeadersInit;
    readonly body?: string | Uint8Array;
    /** Default 1.1. */
    readonly httpVersion?: string;
  };
  readonly client?: { readonly ip?: string; readonly port?: number };
  /** Fields of the declarative configuration's service: `{ name, host, port, path, … }`. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Likewise of the route; by default it takes every path. */
  readonly route?: Readonly<Record<string, unknown>>;
  /** Consumers of the declarative configuration, for `kong.client.loadConsumer`. */
  readonly consumers?: readonly Readonly<Record<string, unknown>>[];
  /** What the upstream has answered, for the phases response and log. */
  readonly response?: {
    /** Default 200. */
    readonly status?: number;
    readonly headers?: HeadersInit;
    readonly body?: string | Uint8Array;
  };
  /** The instance's configuration, as `kong.plugin` and the record know it. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Everything that a handler's call needs around it. */
export interface FakeExchange {
  readonly exchange: Exchange;
  readonly node: GatewayNode;
  readonly record: ExchangeRecord;
  readonly observer: ExchangeObserver;
  readonly planned: PlannedPlugin;
  readonly answer: {
    readonly head: { rawHeaders: string[]; statusCode: number; statusMessage: string };
    readonly body: Buffer;
    readonly request: IncomingMessage;
    readonly requestBody: Buffer;
  };
}

/** Node's id in a Kong that is none. */
const NODE_ID = '00000000-0000-4000-8000-000000000000';

/** @throws TestKitError `TEST_CONFIG` or `TEST_OPTIONS` */
export function fakeExchange(phase: Phase, plugin: string, options: FakeExchangeOptions): FakeExchange {
  const kind = pluginCatalog([{ name: plugin, priority: 0, phases: [phase], schema: [] }]).get(plugin);
  if (kind === undefined) throw new TestKitError('TEST_OPTIONS', `no plugin can be called "${plugin}"`);
  const planned = { key: plugin, name: plugin, config: { ...options.config }, kind };
  const requestBody = Buffer.from(options.request?.body ?? '');
  const exchange = new Exchange(fakeRequest(options, requestBody), Number.POSITIVE_INFINITY);
  const config = fakeConfig(options);
  if (phase !== 'rewrite' && phase !== 'certificate' && phase !== 'preread') route(exchange, config.routes);

  let record: ExchangeRecord | undefined;
  const recorder = new Recorder({
    limitBytes: Number.POSITIVE_INFINITY,
    onStart: (begun) => {
      record = begun;
    },
  });
  const observer = recorder.observe(exchange);
  if (observer === undefined || record === undefined) throw new Error('the recorder records everything');
  exchange.watch(observer);
  observer.routed();
  const { status = 200, headers, body = '' } = options.response ?? {};
  return {
    exchange,
    node: { id: NODE_ID, config, log: (level, text, source) => observer.logged(level, text, source) },
    record,
    observer,
    planned,
    answer: {
      head: { rawHeaders: headerInit(headers).flat(), statusCode: status, statusMessage: '' },
      body: Buffer.from(body),
      request: new IncomingMessage(new Socket()),
      requestBody,
    },
  };
}

function fakeRequest({ request = {}, client = {} }: FakeExchangeOptions, body: Buffer) {
  const lines = headerInit(request.headers);
  const has = (name: string) => lines.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) lines.unshift(['Host', 'localhost']);
  if (body.length > 0 && !has('content-length') && !has('transfer-encoding')) {
    lines.push(['Content-Length', String(body.length)]);
  }
  return Object.assign(Readable.from(body.length === 0 ? [] : [body]), {
    url: bytesOf(request.path ?? '/'),
    method: request.method ?? 'GET',
    rawHeaders: lines.flat(),
    headers: Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value])),
    httpVersion: request.httpVersion ?? '1.1',
    socket: {
      remoteAddress: client.ip ?? '127.0.0.1',
      remotePort: client.port ?? 50_000,
      localPort: 8000,
    },
  });
}

function fakeConfig({ service, route, consumers = [] }: FakeExchangeOptions) {
  const text = JSON.stringify(
    {
      _format_version: '3.0',
      services: [
        {
          name: 'service',
          ...(service?.url === undefined ? { host: 'upstream' } : {}),
          ...service,
          routes: [{ name: 'route', paths: ['/'], ...route }],
        },
      ],
      consumers,
    },
    undefined,
    2,
  );
  const { config, problems } = parseDeclarativeConfig(text, 'fakeKong', pluginCatalog([]));
  if (problems.length > 0) throw new TestKitError('TEST_CONFIG', problems.map(formatProblem).join('\n'));
  return config;
}

function route(exchange: Exchange, routes: ConstructorParameters<typeof Router>[0]): void {
  const { method, host, path, headers, localPort: port } = exchange;
  const match = new Router(routes).match({ method, host, port, path, headers });
  if (match === undefined) {
    throw new TestKitError('TEST_OPTIONS', `the route does not take ${method} ${exchange.target}`);
  }
  exchange.match = match;
  exchange.service = match.route.service;
  exchange.upstream = targetOf(exchange);
}
