import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the echo upstream says it received. */
export interface EchoedRequest {
  readonly method: string;
  readonly url: string;
  /** Lines as they came, latin1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** UTF-8; bytes that are none become U+FFFD. */
  readonly body: string;
}

export interface EchoUpstream {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * An HTTP server that answers every request with a JSON description of it, and `x-upstream: echo`.
 *
 * @param port 0: any free one
 * @param onRequest sees each request once its body has arrived
 */
export async function startEchoUpstream(
  port = 0,
  host = '127.0.0.1',
  onRequest?: (request: EchoedRequest) => void,
): Promise<EchoUpstream> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { rawHeaders, method = '', url = '' } = request;
      const headers = rawHeaders.flatMap((name, index) =>
        index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : [],
      );
      const echoed = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      onRequest?.(echoed);
      response.writeHead(200, { 'content-type': 'application/json', 'x-upstream': 'echo' });
      response.end(`${JSON.stringify(echoed)}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
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
