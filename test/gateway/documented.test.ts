import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type LocalPlugin, type RunningGateway, startGateway } from './support.js';

/** How a row of "What answers differently" is held: by what comes of bytes, or by a test that it names. */
type Held = string | (() => Promise<void>);

const plugins: readonly LocalPlugin[] = [
  { name: 'odd', handlers: { access: (host) => host.call('kong.response.set_header', ['a b', 'v']) } },
  { name: 'variable', handlers: { access: (host) => host.call('kong.nginx.get_var', ['nope']) } },
  { name: 'vault', handlers: { access: (host) => host.call('kong.vault.get', ['x']) } },
  {
    name: 'parts',
    handlers: { access: (host) => host.call('kong.request.get_body', ['multipart/form-data']) },
  },
  {
    name: 'trusts',
    handlers: {
      access: async (host) => {
        const ip = await host.call('kong.client.get_forwarded_ip', []);
        await host.call('kong.response.set_header', ['x-ip', ip]);
      },
    },
  },
];

describe('docs/local-gateway.md, what answers differently', () => {
  let received: http.IncomingHttpHeaders = {};
  let upstream: http.Server;
  let running: RunningGateway;

  before(async () => {
    upstream = http.createServer((request, response) => {
      received = request.headers;
      request.resume();
      response.writeHead(200, { 'x-big': 'b'.repeat(5000) }).end();
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const routes = plugins.map(({ name }) => `  - { paths: [/${name}], plugins: [{ name: ${name} }] }`);
    running = await startGateway(
      `_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:${(upstream.address() as AddressInfo).port}
  routes:
  - { paths: [/plain] }
  - { paths: [/passing], request_buffering: false }
${routes.join('\n')}
`,
      plugins,
    );
  });
  after(async () => {
    await running.gateway.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  const send = (bytes: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      let text = '';
      const socket = net.connect(running.port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('error', reject).on('close', () => resolve({ status: Number(text.split(' ')[1]), text }));
    });
  const get = (path: string, ...headers: string[]) =>
    send([`GET ${path} HTTP/1.1`, 'Host: h', 'Connection: close', ...headers, '', ''].join('\r\n'));
  const answers =
    (status: number, ...requests: string[]) =>
    async () => {
      for (const request of requests) assert.equal((await send(request)).status, status, request);
    };
  const logs =
    (path: string, status: number, line: RegExp, ...headers: string[]) =>
    async () => {
      assert.equal((await get(path, ...headers)).status, status);
      assert.ok(running.log.some((text) => line.test(text)));
    };
  const chunked = '5\r\nhello\r\n0\r\n\r\n';

  /** By the beginning of the row. */
  const HELD: Readonly<Record<string, Held>> = {
    'raw bytes above 0x7f': answers(
      400,
      'GET /plain\xff HTTP/1.1\r\nHost: h\r\n\r\n',
      'GET /plain HTTP/1.1\nHost: h\n\n',
      'FOO /plain HTTP/1.1\r\nHost: h\r\n\r\n',
      'GET /plain\r\n\r\n',
      'GET /plain HTTP/1.2\r\nHost: h\r\n\r\n',
      'GET /plain HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n',
    ),
    'white space around': async () => {
      await get('/plain', 'X-A:\tv\t');
      assert.equal(received['x-a'], 'v');
    },
    'a header name that HTTP does not allow': logs('/odd', 200, /header name "a b"/),
    "the upstream's response head": async () => assert.match((await get('/plain')).text, /b{5000}/),
    'a chunked body on a route': async () => {
      await send(
        `POST /passing HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
      );
      assert.equal(received['transfer-encoding'], 'chunked');
    },
    'a request with a body that is sent again': 'upstream.test.ts',
    '`kong.vault`': logs('/vault', 500, /kong\.vault\.get is not emulated/),
    'what Kong has beside the PDK': 'vectors-protobuf.test.ts',
    '`multipart/form-data`': logs('/parts', 500, /decoding multipart\/form-data is not emulated/),
    balancing: 'answers.test.ts',
    'several workers': 'one process',
    '`X-Forwarded-*`': async () => {
      assert.match((await get('/trusts', 'X-Forwarded-For: 1.2.3.4')).text, /x-ip: 127\.0\.0\.1/);
    },
    "nginx's variables": logs('/variable', 500, /variable nope is not emulated/),
    "a service's or a plugin's limit": 'nothing reads a kong.conf',
  };

  const section = readFileSync('docs/local-gateway.md', 'utf8').split('## What answers differently')[1] ?? '';
  const rows = [...section.matchAll(/^\| (?!what +\||-)(.+?) +\|/gm)].map(([, what = '']) => what);
  it('has as many rows as there are checks', () => assert.equal(rows.length, Object.keys(HELD).length));
  for (const row of rows) {
    const [, held] = Object.entries(HELD).find(([start]) => row.startsWith(start)) ?? [];
    it(`${row}${typeof held === 'string' ? `: ${held}` : ''}`, async () => {
      assert.ok(held !== undefined, 'nothing holds this row');
      if (typeof held !== 'string') await held();
    });
  }
});
