import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PluginServerError } from '../errors.js';
import type { GatewayConfig } from '../gateway/config/entities.js';
import { refusal, SECURITY_HEADERS } from './access.js';
import { loadAssets } from './assets.js';
import { curlCommand } from './copy-curl.js';
import { testSource } from './copy-test.js';
import { FigureReader } from './event-figures.js';
import { LiveUpdates } from './live.js';
import { detailOf, reveal } from './outgoing.js';
import { type InspectedPlugin, pluginViews } from './plugin-view.js';
import type { ExchangeRecord } from './record.js';
import type { Recorder } from './recorder.js';
import { parseResend, sendAgain } from './send-again.js';
import { ExchangeStore } from './store.js';

const MAX_BODY_BYTES = 1024 * 1024;

/** What the inspector shows beside exchanges; asked when it is needed, since it changes. */
export interface Inspected {
  readonly gatewayPort: number;
  readonly config: GatewayConfig;
  readonly plugins: readonly InspectedPlugin[];
  /** As a copied test names it. */
  readonly pluginsDirectory: string;
  /** The environment variables that plugins find here, and a copied test has to bring. */
  readonly variables: readonly string[];
}

export interface InspectorOptions {
  readonly recorder: Recorder;
  /** On 127.0.0.1; 0: any free one. */
  readonly port: number;
  readonly inspected: () => Inspected;
  /** The plugin server's metrics in Prometheus's text format; undefined: it cannot be asked. */
  readonly metrics: () => Promise<string | undefined>;
}

export interface Inspector {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the page that shows what a gateway saw, on loopback only.
 *
 * @throws PluginServerError `PORT_IN_USE`
 */
export async function startInspector(options: InspectorOptions): Promise<Inspector> {
  const store = new ExchangeStore();
  const live = new LiveUpdates(store);
  const assets = loadAssets();
  const api = new Api(store, live, options);
  const server = http.createServer((request, response) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const { port } = server.address() as AddressInfo;
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://inspector');
    const isApi = pathname.startsWith('/api/');
    const isGuarded = request.method !== 'GET' || /\/(?:reveal|copy)$/.test(pathname);
    const refused = refusal(request.headers, port, isApi, isGuarded);
    if (refused !== undefined) return answer(response, 403, { message: refused });
    const asset = request.method === 'GET' ? assets.get(pathname) : undefined;
    if (asset !== undefined) return void response.setHeader('content-type', asset.type).end(asset.content);
    api.answer(request, response, pathname, searchParams).catch((error: unknown) => {
      const known = error instanceof PluginServerError;
      answer(response, known ? 400 : 500, { message: known ? error.message : String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new PluginServerError(
          'PORT_IN_USE',
          `the inspector cannot listen on port ${options.port}: ${cause.code}`,
          { cause },
        ),
      ),
    );
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const stopListening = options.recorder.listen(store);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      stopListening();
      live.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

class Api {
  readonly #figures: FigureReader;

  constructor(
    private readonly store: ExchangeStore,
    private readonly live: LiveUpdates,
    private readonly options: InspectorOptions,
  ) {
    this.#figures = new FigureReader(options.metrics);
  }

  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    if (request.method === 'GET' && path === '/api/live') return this.live.open(response);
    if (request.method === 'GET' && path === '/api/plugins') {
      const figures = await this.#figures.figures();
      const { plugins, config } = this.options.inspected();
      return answer(response, 200, {
        memoryBytes: figures?.memoryBytes,
        instances: figures?.instances,
        plugins: pluginViews(plugins, config, this.store.records, figures),
      });
    }
    const [, id, action] = /^\/api\/exchanges\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    if (id === undefined) return answer(response, 404, { message: 'there is nothing here' });
    const record = this.store.get(id);
    if (record === undefined) return answer(response, 404, { message: 'this request is no longer kept' });
    return this.#ofExchange(request, response, record, action, query);
  }

  async #ofExchange(
    request: IncomingMessage,
    response: ServerResponse,
    record: ExchangeRecord,
    action: string | undefined,
    query: URLSearchParams,
  ): Promise<void> {
    const { gatewayPort, ...source } = this.options.inspected();
    const withSecrets = query.get('secrets') === '1';
    switch (`${request.method} ${action ?? ''}`) {
      case 'GET ':
        return answer(response, 200, detailOf(record));
      case 'GET reveal': {
        const text = reveal(record, query.get('path') ?? '');
        return answer(response, text === undefined ? 404 : 200, { text });
      }
      case 'GET copy': {
        const text =
          query.get('as') === 'curl'
            ? curlCommand(record, `http://127.0.0.1:${gatewayPort}`, withSecrets)
            : testSource(record, { ...source, withSecrets });
        return answer(response, 200, { text });
      }
      case 'POST resend': {
        const port = await sendAgain(parseResend(await read(request)), record, gatewayPort);
        return answer(response, 200, { id: this.store.fromPort(port)?.id });
      }
      default:
        return answer(response, 405, { message: 'not so' });
    }
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(value));
}

/** @throws PluginServerError `INSPECTOR_RESEND` where it is too long */
async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new PluginServerError('INSPECTOR_RESEND', 'more than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
