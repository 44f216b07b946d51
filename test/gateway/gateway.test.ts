import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type EchoedRequest, type EchoUpstream, startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import type { LuaTable } from '../../src/gateway/plugin-port.js';
import { rawRequest } from './raw-client.js';
import { type LocalPlugin, type RunningGateway, startGateway, until } from './support.js';

const CONFIG = (port: number, closedPort: number) => `
_format_version: "3.0"
services:
  - name: up
    url: http://127.0.0.1:${port}/base
    routes:
      - name: verified
        paths: [/verified]
        plugins:
          - name: verify
          - name: second
          - name: post-function
            config:
              access:
                - |
                  if not kong.ctx.shared.customer_verified then
                    return kong.response.exit(503, { message = "not verified" })
                  end
                  kong.service.request.set_header("X-Guard", kong.ctx.shared.customer_verified .. " é")
      - name: buffered
        paths: [/buffered]
        plugins: [{ name: buffering }]
      - { name: plain, paths: [/plain] }
      - { name: reading, paths: [/reading], plugins: [{ name: reading }] }
      - name: require
        paths: [/require]
        plugins: [{ name: post-function, config: { access: ['require "ltn12"'] } }]
      - name: unknown
        paths: [/unknown]
        plugins: [{ name: post-function, config: { access: ['kong.cache.get("x")'] } }]
      - name: caught
        paths: [/caught]
        plugins:
          - { name: post-function, config: { access: ['pcall(kong.response.exit, 401) kong.log("after")'] } }
      - { name: kept, paths: [/kept], strip_path: false, preserve_host: true }
      - { name: secure, paths: [/secure], protocols: [https] }
  - name: down
    host: 127.0.0.1
    port: ${closedPort}
    retries: 1
    routes:
      - { name: down, paths: [/down] }
plugins:
  - { name: everywhere }
  - name: pre-function
    config:
      access:
        - |
          local seen = 0
          return function()
            seen = seen + 1
            kong.service.request.set_header("X-Seen", seen)
          end
`;

let bodyFile = '';

const PLUGINS: LocalPlugin[] = [
  {
    name: 'verify',
    priority: 9,
    handlers: {
      access: (host) => {
        const { mode } = host.call('kong.request.get_headers', [100]) as LuaTable;
        if (mode === 'good') {
          host.call('kong.ctx.shared.set', ['customer_verified', 'u-1']);
          host.call('kong.service.request.set_header', ['X-Customer-Id', 'u-1']);
        } else if (mode === 'bad') {
          host.call('kong.response.exit', [403, 'Access Forbidden']);
        } else if (mode === 'crash') {
          throw new Error('the plugin failed');
        }
      },
      log: async (host) => {
        host.call('kong.log.warn', ['logged ', await host.call('kong.response.get_status', [])]);
      },
    },
  },
  { name: 'second', priority: 1, handlers: { access: () => undefined } },
  { name: 'everywhere', priority: 5, handlers: { rewrite: () => undefined, log: () => undefined } },
  {
    name: 'reading',
    handlers: {
      access: async (host) => {
        const { content, body_filepath } = (await host.call('kong.request.get_raw_body', [])) as LuaTable;
        bodyFile = String(body_filepath ?? '');
        const shown =
          bodyFile === '' ? `content ${String(content).length}` : `body_filepath ${statSync(bodyFile).size}`;
        host.call('kong.service.request.set_header', ['X-Read', shown]);
      },
    },
  },
  {
    name: 'buffering',
    handlers: {
      response: (host) => {
        const body = host.call('kong.service.response.get_raw_body', []) as string;
        host.call('kong.response.set_header', ['X-Bytes', body.length]);
        if (body.includes('replace-me')) {
          host.call('kong.response.exit', [502, 'replaced']);
        }
      },
    },
  },
];

describe('the gateway over HTTP', () => {
  let upstream: EchoUpstream;
  let running: RunningGateway;
  const seen: EchoedRequest[] = [];

  before(async () => {
    upstream = await startEchoUpstream(0, '127.0.0.1', (request) => seen.push(request));
    const closed = await startEchoUpstream();
    await closed.close();
    running = await startGateway(CONFIG(upstream.port, closed.port), PLUGINS);
  });
  after(async () => {
    await running.gateway.close();
    await upstream.close();
  });

  const send = (path: string, extra: [string, string][] = [], method = 'GET', body?: string) =>
    rawRequest(running.port, { path, method, body, headers: [['Host', 'cap.test'], ...extra] });
  const status = async (path: string, extra: [string, string][] = []) => (await send(path, extra)).statusLine;
  const header = (list: readonly (readonly [string, string])[], name: string) =>
    list.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);

  it('sends a verified request on, with the headers that plugins set', async () => {
    seen.length = 0;
    const response = await send('/verified/a%20b?q=1', [
      ['mode', 'good'],
      ['X-Customer-Id', 'forged'],
      ['x-customer-id', 'again'],
    ]);
    assert.equal(response.statusLine, 'HTTP/1.1 200 OK');
    assert.deepEqual(header(response.headers, 'Via'), ['1.1 kong/3.9.1']);
    const [request] = seen;
    assert.equal(request?.url, '/base/a%20b?q=1');
    assert.deepEqual(header(request?.headers ?? [], 'X-Customer-Id'), ['u-1']);
    assert.deepEqual(header(request?.headers ?? [], 'X-Forwarded-Prefix'), ['/verified']);
    assert.deepEqual(header(request?.headers ?? [], 'X-Guard'), [Buffer.from('u-1 é').toString('latin1')]);
  });

  it('answers with what a plugin exits with, skips later plugins and still runs log', async () => {
    running.caller.events.length = 0;
    const response = await send('/verified', [['mode', 'bad']]);
    assert.equal(response.statusLine, 'HTTP/1.1 403 Forbidden');
    assert.equal(response.body, 'Access Forbidden');
    await until(() => running.caller.events.at(-1) === 'everywhere:log', 'the log phase');
    assert.deepEqual(running.caller.events, [
      'everywhere:rewrite',
      'verify:access',
      'verify:log',
      'everywhere:log',
    ]);
  });

  it('refuses in the guard what no plugin verified', async () => {
    const response = await send('/verified');
    assert.equal(response.statusLine, 'HTTP/1.1 503 Service Temporarily Unavailable');
    assert.equal(response.body, '{"message":"not verified"}');
    assert.deepEqual(header(response.headers, 'Content-Type'), ['application/json; charset=utf-8']);
  });

  it('answers 500 where a plugin failed', async () => {
    const response = await send('/verified', [['mode', 'crash']]);
    assert.equal(response.statusLine, 'HTTP/1.1 500 Internal Server Error');
    assert.match(
      response.body,
      /^{\n {2}"message":"An unexpected error occurred",\n {2}"request_id":"[0-9a-f]{32}"\n}$/,
    );
    assert.ok(running.log.some((line) => line.includes('the plugin failed')));
  });

  it('writes the log lines of the log phase after the response', async () => {
    await send('/verified', [['mode', 'good']]);
    const line = 'warn [kong] [verify] logged 200, context: ngx.timer';
    await until(() => running.log.includes(line), 'the log line');
  });

  it('keeps the upvalues of a function that a chunk returned', async () => {
    const counts: number[] = [];
    for (let i = 0; i < 2; i++) {
      const { body } = await send('/plain');
      counts.push(Number(header((JSON.parse(body) as EchoedRequest).headers, 'X-Seen')[0]));
    }
    assert.equal((counts[1] as number) - (counts[0] as number), 1);
  });

  it('buffers for the response phase and lets it replace the response', async () => {
    const kept = await send('/buffered/x');
    assert.equal(kept.statusLine, 'HTTP/1.1 200 OK');
    assert.deepEqual(header(kept.headers, 'X-Bytes'), [String(kept.body.length)]);
    const replaced = await send('/buffered/replace-me');
    assert.equal(replaced.statusLine, 'HTTP/1.1 502 Bad Gateway');
    assert.equal(replaced.body, 'replaced');
    assert.deepEqual(header(replaced.headers, 'x-upstream'), ['echo']);
  });

  it('keeps path and host where the route says so', async () => {
    seen.length = 0;
    await send('/kept/x');
    assert.equal(seen[0]?.url, '/base/kept/x');
    assert.deepEqual(header(seen[0]?.headers ?? [], 'Host'), ['cap.test']);
  });

  it('answers like Kong where there is no route, no upstream, or no TLS', async () => {
    const lost = await send('/nowhere');
    assert.equal(lost.statusLine, 'HTTP/1.1 404 Not Found');
    assert.match(lost.body, /"message":"no Route matched with those values"/);
    const down = await send('/down');
    assert.equal(down.statusLine, 'HTTP/1.1 502 Bad Gateway');
    assert.match(
      down.body,
      /^An invalid response was received from the upstream server\nrequest_id: [0-9a-f]{32}\n$/,
    );
    assert.equal(await status('/secure'), 'HTTP/1.1 426 ');
  });

  it('passes repeated headers and bytes that are not ASCII', async () => {
    seen.length = 0;
    await send('/plain', [
      ['X-Two', 'a'],
      ['x-two', 'b'],
      ['X-Latin', 'c\xe9!'],
    ]);
    const headers = seen[0]?.headers ?? [];
    assert.deepEqual(header(headers, 'X-Two'), ['a', 'b']);
    assert.deepEqual(header(headers, 'X-Latin'), ['c\xe9!']);
  });

  it('keeps a body that a plugin read, in a file where it is large, and sends it on', async () => {
    for (const bytes of [100, 20_000]) {
      seen.length = 0;
      const body = 'b'.repeat(bytes);
      const response = await send('/reading', [], 'POST', body);
      assert.equal(response.statusLine, 'HTTP/1.1 200 OK');
      assert.equal(seen[0]?.body, body);
      assert.deepEqual(header(seen[0]?.headers ?? [], 'X-Read'), [
        bytes > 8192 ? 'body_filepath 20000' : 'content 100',
      ]);
      assert.deepEqual(header(seen[0]?.headers ?? [], 'Content-Length'), [String(bytes)]);
    }
    await until(() => bodyFile !== '' && !existsSync(bodyFile), 'the file to be removed');
  });

  it('fails a function that uses what is not emulated, and names it', async () => {
    running.log.length = 0;
    assert.match(await status('/require'), /500/);
    assert.ok(
      running.log.some((line) => line.includes('require "ltn12" is not emulated by the local gateway')),
    );
    assert.match(await status('/unknown'), /500/);
    assert.ok(running.log.some((line) => line.includes('kong.cache is not emulated by the local gateway')));
  });

  it('ends a function with exit even if it catches errors', async () => {
    const response = await send('/caught');
    assert.equal(response.statusLine, 'HTTP/1.1 401 Unauthorized');
  });

  it('sees a new config after a reload', async () => {
    const other = await startGateway(`
_format_version: "3.0"
services: [{ name: up, url: "http://127.0.0.1:${upstream.port}", routes: [{ name: a, paths: [/a] }] }]
`);
    try {
      assert.equal((await rawRequest(other.port, { path: '/a' })).statusLine, 'HTTP/1.1 200 OK');
      await other.gateway.reload({
        services: [],
        routes: [],
        consumers: [],
        upstreams: [],
        targets: [],
        plugins: [],
      });
      assert.equal((await rawRequest(other.port, { path: '/a' })).statusLine, 'HTTP/1.1 404 Not Found');
    } finally {
      await other.gateway.close();
    }
  });
});

describe('streaming', () => {
  it('passes response chunks on as they come, request bodies whole, and aborts with the client', async () => {
    let aborted = false;
    let release = () => {};
    const upstream = http.createServer((request, response) => {
      if (request.url === '/count') {
        let bytes = 0;
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        request.on('end', () => response.end(String(bytes)));
        return;
      }
      response.on('close', () => {
        aborted = !response.writableFinished;
      });
      response.write('first');
      release = () => response.write('second');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const running = await startGateway(`
_format_version: "3.0"
services: [{ name: up, url: "http://127.0.0.1:${port}", routes: [{ name: a, paths: [/] }] }]
`);
    try {
      const chunks: string[] = [];
      const request = http.get({ port: running.port, host: '127.0.0.1', path: '/' }, (response) => {
        response.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
        response.on('error', () => undefined);
      });
      request.on('error', () => undefined);
      await until(() => chunks.length === 1, 'the first chunk');
      release();
      await until(() => chunks.length === 2, 'the second chunk');
      request.destroy();
      await until(() => aborted, 'the upstream to see the client go');
      const counted = await rawRequest(running.port, {
        method: 'POST',
        path: '/count',
        body: 'x'.repeat(3_000_000),
      });
      assert.equal(counted.body, '3000000');
    } finally {
      await running.gateway.close();
      upstream.closeAllConnections();
      upstream.close();
    }
  });
});
