import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { headerPairs } from '../inspector/values.js';
import { TestMessage } from './message.js';

/** A request as the upstream got it. */
export class TestUpstreamRequest extends TestMessage {
  constructor(
    readonly method: string,
    /** With the query. */
    readonly path: string,
    headerLines: TestMessage['headerLines'],
    bytes: Buffer,
  ) {
    super(headerLines, bytes);
  }
}

/** What the upstream answers; everything may be left out. */
export interface TestUpstreamAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Sent as the body, with its content type. */
  readonly json?: unknown;
}

/** Plays the upstream. What it throws makes the upstream cut the connection. */
export type TestUpstreamHandler = (
  request: TestUpstreamRequest,
) => TestUpstreamAnswer | Promise<TestUpstreamAnswer>;

/** Answers 200 with a JSON description of the request. */
export const echo: TestUpstreamHandler = ({ method, path, headers, body }) => ({
  headers: { 'x-upstream': 'echo' },
  json: { method, path, headers, body },
});

export interface TestUpstream {
  readonly port: number;
  close(): Promise<void>;
}

/** An HTTP server on a free port that answers what `handler` says. */
export async function startUpstream(handler: TestUpstreamHandler): Promise<TestUpstream> {
  const server = http.createServer((request, response) => {
    answer(request, handler).then(
      ({ status = 200, headers = {}, body, json }) => {
        const typed = json === undefined ? {} : { 'content-type': 'application/json' };
        response.writeHead(status, { ...typed, ...copied(headers) });
        response.end(Buffer.from(json === undefined ? (body ?? '') : JSON.stringify(json)));
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, handler: TestUpstreamHandler): Promise<TestUpstreamAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = '', url = '', rawHeaders } = request;
  return handler(new TestUpstreamRequest(method, url, headerPairs(rawHeaders), Buffer.concat(chunks)));
}

function copied(headers: Readonly<Record<string, string | readonly string[]>>): http.OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}
