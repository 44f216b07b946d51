import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PdkHost } from '../../src/gateway/plugin-port.js';
import { type RawResponse, rawRequest } from './raw-client.js';
import { type RunningGateway, startGateway, until } from './support.js';
import type { NumberedVector, RecordedRequest, RecordedUpstream, VectorEvent } from './vectors.js';

/** The ports of the recording. */
const KONG_PORT = 8100;
const UPSTREAM_PORT = 9100;

const config = (upstreamPort: number) => `
_format_version: "3.0"
services:
  - name: up
    url: http://127.0.0.1:${upstreamPort}
    tags: [t1, t2]
    routes:
${['pb', 'mp']
  .map(
    (protocol) => `
      - { name: ${protocol}-acc, paths: [/${protocol}/acc], plugins: [{ name: acc }] }
      - { name: ${protocol}-resp, paths: [/${protocol}/resp], plugins: [{ name: resp }] }
      - { name: ${protocol}-log, paths: [/${protocol}/log], plugins: [{ name: log }] }
      - name: ${protocol}-cap
        paths: ['~/${protocol}/cap/(?<name>[a-z]+)/([0-9]+)$']
        plugins: [{ name: acc }]`,
  )
  .join('')}
consumers:
  - id: a1a1a1a1-0000-4000-8000-000000000001
    username: alice
    custom_id: c-alice
    tags: [vip]
`;

/** What one replayed event led to. */
export interface Replayed {
  readonly response: RawResponse;
  readonly upstream: readonly RecordedUpstream[];
}

/** A gateway and an upstream as the recording had them; events run what the test says. */
export class ReplayStage {
  #handler: (host: PdkHost) => unknown = () => undefined;
  #ran = false;
  #missing = false;
  readonly #received: RecordedUpstream[] = [];

  private constructor(
    private readonly upstream: http.Server,
    public running: RunningGateway,
  ) {}

  static async start(): Promise<ReplayStage> {
    let stage: ReplayStage | undefined;
    const upstream = http.createServer((request, response) => stage?.answer(request, response));
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const handle = async (host: PdkHost) => {
      try {
        await stage?.runHandler(host);
      } finally {
        if (stage !== undefined) stage.#ran = true;
      }
    };
    const running = await startGateway(config((upstream.address() as AddressInfo).port), [
      { name: 'acc', handlers: { access: handle } },
      { name: 'resp', handlers: { response: handle } },
      { name: 'log', handlers: { log: handle } },
    ]);
    stage = new ReplayStage(upstream, running);
    return stage;
  }

  runHandler(host: PdkHost): unknown {
    return this.#handler(host);
  }

  get upstreamPort(): number {
    return (this.upstream.address() as AddressInfo).port;
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { rawHeaders, method = '', url = '' } = request;
      const headers = rawHeaders.flatMap((name, index) =>
        index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : [],
      );
      this.#received.push({ method, url, headers, body: Buffer.concat(chunks).toString('utf8') });
      if (this.#missing) {
        response.writeHead(404, ['Content-Type', 'text/plain', 'X-Dup', '1', 'X-Dup', '2']);
        response.end('nf');
      } else {
        response.writeHead(200, { 'Content-Type': 'application/json', 'x-upstream': 'echo' });
        response.end(JSON.stringify({ method, url }));
      }
    });
  }

  /** Sends the recorded request and runs `handler` in the phase of the vectors. */
  async replay(event: VectorEvent, handler: (host: PdkHost) => unknown): Promise<Replayed> {
    const [first] = event;
    assert.ok(first !== undefined);
    this.#handler = handler;
    this.#ran = false;
    this.#missing = event.some(({ note }) => note?.includes('answered 404') === true);
    this.#received.length = 0;
    const response = await rawRequest(this.running.port, requestOf(first));
    await until(() => this.#ran, 'the event');
    return {
      response: this.#asRecorded(response),
      upstream: this.#received.map((one) => this.#asRecorded(one)),
    };
  }

  /** Ports as they were in the recording. */
  #asRecorded<T>(value: T): T {
    const text = JSON.stringify(value)
      .replaceAll(`:${this.upstreamPort}"`, `:${UPSTREAM_PORT}"`)
      .replaceAll(`"${this.running.port}"`, `"${KONG_PORT}"`);
    return JSON.parse(text) as T;
  }

  async close(): Promise<void> {
    await this.running.gateway.close();
    this.upstream.closeAllConnections();
    await new Promise((resolve) => this.upstream.close(resolve));
  }
}

function requestOf(vector: NumberedVector) {
  const { request } = vector;
  if (typeof request === 'string' || request === undefined) {
    const headers = Array.from({ length: 150 }, (_, index) => [`X-H${index}`, 'v'] as const);
    return { path: '/pb/acc', headers: [['Host', 'cap.test'] as const, ...headers] };
  }
  const headers = request.headers.map(
    ([name, value]) =>
      [name, typeof value === 'string' ? value : Buffer.from(value.hex, 'hex').toString('latin1')] as const,
  );
  const { method, path, version } = request;
  return {
    method,
    path,
    headers,
    body: bodyOf(request, vector.reply),
    ...(version === undefined ? {} : { version }),
  };
}

/** A body that is no UTF-8 lost its bytes in the recorded request; the reply of get_raw_body has them. */
function bodyOf({ bodyLen, body }: RecordedRequest, reply: unknown): string | undefined {
  if (body?.includes('\ufffd')) {
    return JSON.stringify(reply)
      .match(/"bytesHex":"([0-9a-f]*)"/)?.[1]
      ?.replace(/../g, (hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return bodyLen === undefined ? undefined : (body ?? 'x'.repeat(bodyLen));
}

const VARYING = new Set([
  'date',
  'x-kong-request-id',
  'x-kong-upstream-latency',
  'x-kong-proxy-latency',
  'x-kong-response-latency',
]);

function comparableHeaders(headers: readonly (readonly [string, string])[]): string[] {
  return headers
    .map(([name, value]) => `${name}: ${VARYING.has(name.toLowerCase()) ? '(varies)' : value}`)
    .sort();
}

const withoutId = (text: string) => text.replace(/[0-9a-f]{32}/g, 'ID');

/** Compares what client and upstream saw with the recording; order of header lines apart. */
export function assertAsRecorded(vector: NumberedVector, { response, upstream }: Replayed): void {
  const { client } = vector;
  if (client !== undefined) {
    assert.equal(response.statusLine, client.statusLine);
    // A buffered response has its length here and is chunked in Kong: the same body either way.
    const framing = (line: string) =>
      !(vector.phase === 'response' && /^(Transfer-Encoding|Content-Length):/.test(line));
    assert.deepEqual(
      comparableHeaders(response.headers).filter(framing),
      comparableHeaders(client.headers).filter(framing),
    );
    if (client.body !== '(upstream echo JSON)' && !client.body.includes('\ufffd')) {
      assert.equal(withoutId(response.body), withoutId(client.body));
    }
  }
  if (typeof vector.upstream === 'string') {
    assert.deepEqual(upstream, []);
  } else if (vector.upstream !== undefined) {
    const shown = (one: RecordedUpstream) => ({
      method: one.method,
      url: one.url,
      // Node cannot send a PUT without any framing; nginx does.
      headers: comparableHeaders(one.headers).filter(
        (line) => one.method !== 'PUT' || line !== 'Content-Length: 0',
      ),
      body: one.body,
    });
    assert.deepEqual(upstream.map(shown), vector.upstream.map(shown));
  }
}
