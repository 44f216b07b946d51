import assert from 'node:assert/strict';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type LocalPlugin, type RunningGateway, startGateway, until } from './support.js';

/** What Kong answers to bytes; `up` is the request line at the upstream, null where nothing goes there. */
interface Case {
  readonly what: string;
  /** From the request line to the last header; the empty line is added. */
  readonly head: readonly string[];
  readonly body?: string;
  readonly status: number;
  readonly up?: string | null;
  /** Headers at the upstream; undefined for one that must not be there. */
  readonly upHeaders?: Readonly<Record<string, string | undefined>>;
  /** Headers of the answer. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly answer?: RegExp;
  /** The `log` phase's `kong.response.get_source`. */
  readonly source?: 'exit' | 'error' | 'service';
}

const H = 'Host: h';
const many = Array.from({ length: 1200 }, (_, index) => `X-N${index}: v`);

const CASES: readonly Case[] = [
  {
    what: 'a route without paths forwards no prefix',
    head: ['GET /x HTTP/1.1', 'Host: a.b'],
    status: 200,
    up: 'GET /x',
    upHeaders: { 'x-forwarded-prefix': undefined },
  },
  {
    what: 'a path that is not stripped forwards no prefix',
    head: ['GET /keep/x HTTP/1.1', H],
    status: 200,
    up: 'GET /keep/x',
    upHeaders: { 'x-forwarded-prefix': undefined },
  },
  {
    what: 'an expression forwards what it matched as prefix',
    head: ['GET /n/5/x HTTP/1.1', H],
    status: 200,
    up: 'GET /x',
    upHeaders: { 'x-forwarded-prefix': '/n/5' },
  },
  {
    what: 'a host is compared with its case as configured',
    head: ['GET / HTTP/1.1', 'Host: upper.test'],
    status: 404,
    up: null,
  },
  { what: 'and found in that case', head: ['GET / HTTP/1.1', 'Host: Upper.test'], status: 200 },
  {
    what: 'a host with another port than the configured one',
    head: ['GET / HTTP/1.1', 'Host: port.test:8444'],
    status: 404,
    up: null,
  },
  { what: 'a host with the configured port', head: ['GET / HTTP/1.1', 'Host: port.test:8443'], status: 200 },
  { what: 'percent escapes in lower case', head: ['GET /%c3%bc/x HTTP/1.1', H], status: 200, up: 'GET /x' },
  {
    what: 'an argument with nothing behind the question mark',
    head: ['GET /? HTTP/1.1', 'Host: a.b'],
    status: 200,
    up: 'GET /?',
  },
  {
    what: 'TRACE',
    head: ['TRACE /keep HTTP/1.1', H],
    status: 405,
    up: null,
    answer: /^Method not allowed\nrequest_id: \w+\n$/,
  },
  { what: 'CONNECT', head: ['CONNECT h:80 HTTP/1.1', H], status: 400, up: null },
  {
    what: 'HTTP/2.0 without HTTP/2',
    head: ['GET /keep HTTP/2.0', H],
    status: 505,
    up: null,
    answer: /505 HTTP Version Not Supported/,
  },
  {
    what: 'HTTP/3.0',
    head: ['GET /keep HTTP/3.0', H],
    status: 505,
    up: null,
    answer: /505 HTTP Version Not Supported/,
  },
  { what: '* for another method than OPTIONS', head: ['GET * HTTP/1.1', H], status: 400, up: null },
  {
    what: 'a request line that is none',
    head: ['GET'],
    status: 400,
    up: null,
    headers: { server: 'kong/3.9.1' },
    answer: /^Bad request\nrequest_id: \w+\n$/,
  },
  {
    what: 'a line of 40 KB',
    head: [`GET /${'a'.repeat(40_000)} HTTP/1.1`, H],
    status: 414,
    up: null,
    answer: /^URI too long\n/,
  },
  {
    what: 'a header of 9 KB',
    head: ['GET /keep HTTP/1.1', H, `X-A: ${'a'.repeat(9000)}`],
    status: 400,
    up: null,
    answer: /^Request header or cookie too large\n/,
  },
  {
    what: 'headers of 35 KB',
    head: ['GET /keep HTTP/1.1', H, ...many.slice(0, 5).map((line) => line + 'v'.repeat(7000))],
    status: 400,
    up: null,
    answer: /^Request header or cookie too large\n/,
  },
  {
    what: 'names with odd characters are dropped',
    head: ['GET /keep HTTP/1.1', H, "x!#$%&'*+^`|~: 1", 'x.dot: 1'],
    status: 200,
    upHeaders: { "x!#$%&'*+^`|~": undefined, 'x.dot': undefined },
  },
  {
    what: '1,200 headers arrive',
    head: ['GET /keep HTTP/1.1', H, ...many],
    status: 200,
    upHeaders: { 'x-n1022': 'v', 'x-n1199': 'v' },
  },
  {
    what: 'a host of bytes that are letters in Latin-1',
    head: ['GET /keep HTTP/1.1', 'Host: \xc3\x9c.test'],
    status: 200,
    upHeaders: { 'x-forwarded-host': '\xc3\x9c.test' },
  },
  { what: 'two Host headers', head: ['GET /keep HTTP/1.1', H, 'Host: i'], status: 400, up: null },
  { what: 'no Host header', head: ['GET /keep HTTP/1.1'], status: 400, up: null },
  { what: 'no Host header in HTTP/1.0', head: ['GET /keep HTTP/1.0'], status: 200 },
  {
    what: 'chunked with trailers',
    head: ['POST /keep HTTP/1.1', H, 'Transfer-Encoding: chunked', 'Trailer: X-T'],
    body: '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
    status: 200,
    upHeaders: { 'content-length': '5', 'transfer-encoding': undefined, 'x-t': undefined },
  },
  {
    what: 'a path that a plugin takes up, from an absolute target with a query',
    head: ['GET http://h/keep?a=1 HTTP/1.1', H],
    status: 200,
    up: 'GET /keep?a=1',
  },
  {
    what: 'no route: the log phase sees an exit',
    head: ['GET /nowhere HTTP/1.1', H],
    status: 404,
    up: null,
    source: 'exit',
  },
  {
    what: 'nginx refuses: the log phase sees an error',
    head: ['GET /a%zz HTTP/1.1', H],
    status: 400,
    up: null,
    source: 'error',
  },
  {
    what: 'set_target to an unknown name',
    head: ['GET /named HTTP/1.1', H],
    status: 503,
    up: null,
    answer: /name resolution failed/,
  },
  {
    what: 'set_upstream that is not there changes nothing',
    head: ['GET /upstream HTTP/1.1', H],
    status: 200,
    up: 'GET /',
    headers: { 'x-set': 'nil' },
  },
  {
    what: '304 with a response handler has no length',
    head: ['GET /buffered/304 HTTP/1.1', H],
    status: 304,
    headers: { 'content-length': undefined },
  },
  {
    what: '204 with a response handler has no length',
    head: ['GET /buffered/204 HTTP/1.1', H],
    status: 204,
    headers: { 'content-length': undefined },
  },
];

const plugins: readonly LocalPlugin[] = [
  {
    name: 'named',
    handlers: { access: (host) => host.call('kong.service.set_target', ['no.such.invalid', 80]) },
  },
  {
    name: 'upstream',
    handlers: {
      access: async (host) => {
        const set = await host.call('kong.service.set_upstream', ['absent']);
        await host.call('kong.response.set_header', ['x-set', set === undefined ? 'nil' : 'set']);
      },
    },
  },
  { name: 'buffered', handlers: { response: () => undefined } },
  {
    name: 'sees',
    handlers: { log: async (host) => sources.push(await host.call('kong.response.get_source', [])) },
  },
];
const sources: unknown[] = [];

describe('bytes that Kong 3.9.1 was sent', () => {
  const received: { line: string; headers: http.IncomingHttpHeaders }[] = [];
  let upstream: http.Server;
  let running: RunningGateway;

  before(async () => {
    upstream = http.createServer((request, response) => {
      received.push({ line: `${request.method} ${request.url}`, headers: request.headers });
      request.resume();
      response.writeHead(Number(/\/([234]\d\d)$/.exec(request.url ?? '')?.[1] ?? 200)).end();
    });
    upstream.maxHeadersCount = 0;
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    running = await startGateway(
      `_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:${port}
  routes:
  - { name: keep, paths: [/keep], strip_path: false }
  - { name: n, paths: ["~/n/\\\\d"] }
  - { name: hosts, hosts: [a.b, Upper.test, "port.test:8443"] }
  - { name: umlaut, paths: [/ü] }
  - { name: upstream, paths: [/upstream], plugins: [{ name: upstream }] }
  - { name: buffered, paths: [/buffered], plugins: [{ name: buffered }] }
- { name: t, url: "http://localhost:${port}", routes: [{ name: named, paths: [/named], plugins: [{ name: named }] }] }
plugins: [{ name: sees }]
`,
      plugins,
    );
  });
  after(async () => {
    await running.gateway.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  for (const { what, head, body = '', status, up, upHeaders = {}, headers = {}, answer, source } of CASES) {
    it(what, async () => {
      received.length = 0;
      sources.length = 0;
      const text = await exchange(
        running.port,
        `${[...head, 'Connection: close', '', ''].join('\r\n')}${body}`,
      );
      const [top = '', content = ''] = text.split(/\r\n\r\n(.*)/s);
      assert.equal(top.split(' ')[1], String(status), text);
      if (up !== undefined) assert.equal(received[0]?.line ?? null, up);
      for (const [name, value] of Object.entries(upHeaders))
        assert.equal(received[0]?.headers[name], value, name);
      for (const [name, value] of Object.entries(headers)) {
        assert.equal(new RegExp(`^${name}: (.*)$`, 'im').exec(top)?.[1]?.trim(), value, name);
      }
      if (answer !== undefined) assert.match(content, answer);
      if (source !== undefined) {
        await until(() => sources.length > 0, 'the log phase');
        assert.deepEqual(sources, [source]);
      }
    });
  }

  it('answers a request, and then the bytes behind it that are none', async () => {
    const request = `GET /keep HTTP/1.1\r\n${H}\r\n\r\n`;
    const text = await exchange(running.port, `${request}no request\r\n\r\n`);
    assert.deepEqual(text.match(/^HTTP\/1\.1 \d+/gm), ['HTTP/1.1 200', 'HTTP/1.1 400']);
  });
});

function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}
