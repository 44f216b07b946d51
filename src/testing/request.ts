import http, { type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TestKitError } from './errors.js';
import { bytesOf, type HeadersInit, headerInit } from './headers.js';

/** What to send, beside the path. */
export interface TestRequestInit {
  /** Default GET, or POST where there is a body. */
  readonly method?: string;
  /** By name, several values in a list; or lines in order. Host and Content-Length are added where they are missing. */
  readonly headers?: HeadersInit;
  readonly body?: string | Uint8Array;
  /** Sent as the body, with its content type. */
  readonly json?: unknown;
  /** Ends the request. */
  readonly signal?: AbortSignal;
}

export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/**
 * Sends one request over a connection of its own.
 *
 * @param onConnect told the port that the request comes from
 * @throws TestKitError `NO_RESPONSE`
 */
export function sendRequest(
  port: number,
  path: string,
  init: TestRequestInit,
  onConnect: (localPort: number) => void,
): Promise<RawResponse> {
  const text = init.json === undefined ? init.body : JSON.stringify(init.json);
  // Node writes the head with a body of text in one, in the body's encoding, which would spoil bytes in headers.
  const body = text === undefined ? undefined : Buffer.from(text);
  const method = init.method ?? (body === undefined ? 'GET' : 'POST');
  const headers = headerInit(init.headers);
  const has = (name: string) => headers.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) headers.push(['Host', `127.0.0.1:${port}`]);
  if (init.json !== undefined && !has('content-type')) headers.push(['Content-Type', 'application/json']);
  if (body !== undefined && !has('content-length') && !has('transfer-encoding')) {
    headers.push(['Content-Length', String(body.length)]);
  }
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      method,
      path: bytesOf(path),
      headers: headers.flat(),
      agent: false,
      ...(init.signal === undefined ? {} : { signal: init.signal }),
    });
    const fail = (cause: Error) => {
      if (init.signal?.aborted) reject(cause);
      else reject(new TestKitError('NO_RESPONSE', `${method} ${path}: ${cause.message}`, { cause }));
    };
    request.on('socket', (socket: Socket) => {
      socket.once('connect', () => onConnect(socket.localPort ?? 0));
    });
    request.on('error', fail);
    request.on('response', (response) => {
      readAll(response).then(
        (content) =>
          resolve({
            status: response.statusCode ?? 0,
            reason: response.statusMessage ?? '',
            rawHeaders: response.rawHeaders,
            body: content,
          }),
        fail,
      );
    });
    request.end(body);
  });
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
