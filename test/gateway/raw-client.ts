import net from 'node:net';

/** A response exactly as it came over the wire. */
export interface RawResponse {
  readonly statusLine: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** De-chunked, one char per byte. */
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** Values are byte strings. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | undefined;
  readonly version?: string;
}

/** Sends one request with `Connection: close` and reads to the end of the connection. */
export function rawRequest(port: number, request: RawRequest): Promise<RawResponse> {
  const { method = 'GET', path, headers = [['Host', 'cap.test']], body, version = '1.1' } = request;
  const lines = [`${method} ${path} HTTP/${version}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  if (body !== undefined) {
    lines.push(`Content-Length: ${body.length}`);
  }
  lines.push('Connection: close', '', '');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(Buffer.from(lines.join('\r\n') + (body ?? ''), 'latin1'));
    });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(parse(Buffer.concat(chunks).toString('latin1'))));
  });
}

function parse(text: string): RawResponse {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const rest = text.slice(end + 4);
  const chunked = headers.some(([name, value]) => name === 'Transfer-Encoding' && value === 'chunked');
  return { statusLine, headers, body: chunked ? dechunk(rest) : rest };
}

function dechunk(text: string): string {
  let body = '';
  for (let at = 0; at < text.length; ) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 4 + size;
  }
  return body;
}
