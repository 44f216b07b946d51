import assert from 'node:assert/strict';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type RawRequest, rawRequest } from './raw-client.js';
import { type LocalPlugin, type RunningGateway, startGateway, until } from './support.js';

/** What the upstream got, in order: request line, headers, body. */
interface Received {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const sees: Record<string, unknown> = {};
const plugins: readonly LocalPlugin[] = [
  {
    name: 'probe',
    handlers: {
      access: async (host) => {
        sees.path = await host.call('kong.request.get_path_with_query', []);
        sees.forwarded = await host.call('kong.request.get_forwarded_path', []);
        sees.cookie = await host.call('kong.request.get_header', ['cookie']);
        sees.under = await host.call('kong.request.get_header', ['x-under']);
        sees.dot = await host.call('kong.request.get_header', ['x.dot']);
        sees.captures = await host.call('kong.request.get_uri_captures', []);
        sees.prefix = await host.call('kong.request.get_forwarded_prefix', []);
      },
      log: async (host) => {
        sees.source = await host.call('kong.response.get_source', []);
      },
    },
  },
  { name: 'target', handlers: { access: (host) => host.call('kong.service.set_target', ['127.0.0.1', 1]) } },
  {
    name: 'name',
    handlers: { access: (host) => host.call('kong.service.set_target', ['no.such.invalid', 1]) },
  },
  {
    name: 'early',
    handlers: {
      rewrite: async (host) => {
        const wanted = await host.call('kong.request.get_header', ['x-early']);
        if (wanted === 'target') await host.call('kong.service.set_target', ['127.0.0.1', 1]);
        if (wanted === 'host') await host.call('kong.service.request.set_header', ['Host', 'h.test']);
      },
    },
  },
  { name: 'variable', handlers: { access: (host) => host.call('kong.nginx.get_var', ['nope']) } },
  {
    name: 'whole',
    handlers: {
      response: async (host) => {
        sees.body = await host.call('kong.request.get_raw_body', []);
        await host.call('kong.response.set_header', ['x-kind', 'mine']);
        sees.theirs = await host.call('kong.service.response.get_header', ['x-kind']);
        sees.ours = await host.call('kong.response.get_header', ['x-kind']);
      },
    },
  },
  {
    name: 'asks',
    handlers: {
      access: (host) => host.call('kong.service.request.enable_buffering', []),
      log: () => undefined,
    },
  },
  { name: 'odd', handlers: { access: (host) => host.call('kong.response.set_header', ['a b', 'v']) } },
  {
    name: 'length',
    handlers: { access: (host) => host.call('kong.response.set_header', ['content-length', 'x']) },
  },
  {
    name: 'login',
    priority: 10,
    handlers: {
      access: async (host) => {
        const name = await host.call('kong.request.get_header', ['x-user']);
        if (name === undefined) return;
        const consumer = await host.call('kong.client.load_consumer', [name, true]);
        await host.call('kong.client.authenticate', [consumer, undefined]);
      },
    },
  },
  {
    name: 'greeting',
    handlers: {
      access: (host, { plugin }) =>
        host.call('kong.response.set_header', ['x-greeting', plugin.config.message as string]),
    },
  },
];

describe('the same answer as Kong', () => {
  const received: Received[] = [];
  let upstream: http.Server;
  let running: RunningGateway | undefined;
  let port: number;

  before(async () => {
    upstream = http.createServer((request, response) => {
      let body = '';
      request.setEncoding('latin1').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        const line = `${request.method} ${request.url}`;
        received.push({ line, headers: request.headers as Record<string, string>, body });
        if (request.url === '/none') response.writeHead(204, { 'x-kind': 'theirs' }).end();
        else if (request.url === '/big') response.writeHead(200, { 'x-big': 'b'.repeat(5000) }).end();
        else response.writeHead(200, { 'x-kind': 'theirs', 'content-type': 'text/plain' }).end('up');
      });
    });
    upstream.on('upgrade', (request, socket) => {
      received.push({
        line: `UPGRADE ${request.url}`,
        headers: request.headers as Record<string, string>,
        body: '',
      });
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Up: 1\r\n\r\n',
      );
      socket.on('data', (chunk: Buffer) => socket.end(`echo ${chunk.toString()}`));
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    port = (upstream.address() as AddressInfo).port;
    running = await startGateway(
      `_format_version: "3.0"
consumers: [{ username: ann }, { username: bob }]
upstreams:
- name: pool
  host_header: pool.test
  targets: [{ target: "127.0.0.1:${port}", weight: 3 }, { target: "localhost:${port}", weight: 1 }, { target: "127.0.0.1:1", weight: 0 }]
- { name: empty }
- { name: flaky, targets: [{ target: "127.0.0.1:1" }, { target: "127.0.0.1:${port}" }] }
services:
- name: s
  url: http://127.0.0.1:${port}
  routes:
  - { name: plain, paths: [/plain], strip_path: false, plugins: [{ name: probe }] }
  - { name: strip, paths: [/strip, "~/n/(?<id>\\\\d+)(/x)?$"], plugins: [{ name: probe }] }
  - { name: alternatives, paths: ["~/or1|/or2"] }
  - { name: digits, paths: ["~/dig/\\\\d$"], strip_path: false }
  - { name: umlaut, paths: [/ü] }
  - { name: slash, hosts: [slash.test], paths: [/] }
  - { name: hosts, hosts: ["a.*", "*.w.test"] }
  - { name: target, paths: [/target], plugins: [{ name: target }] }
  - { name: byname, paths: [/byname], plugins: [{ name: name }] }
  - { name: variable, paths: [/variable], plugins: [{ name: variable }] }
  - { name: whole, paths: [/whole], plugins: [{ name: whole }] }
  - { name: asks, paths: [/asks], plugins: [{ name: asks }] }
  - { name: odd, paths: [/odd], plugins: [{ name: odd }] }
  - { name: length, paths: [/length], plugins: [{ name: length }] }
  - { name: ws, paths: [/ws] }
  - { name: secure, paths: [/secure], plugins: [{ name: greeting, protocols: [https], config: { message: secure } }] }
  - name: people
    paths: [/people]
    plugins:
    - { name: login }
    - { name: greeting, config: { message: anybody } }
    - { name: greeting, consumer: ann, config: { message: ann } }
- { name: disabled, url: "http://127.0.0.1:${port}", enabled: false, routes: [{ name: disabled, paths: [/off] }] }
- { name: nohost, host: no.such.invalid, routes: [{ name: nohost, paths: [/nohost] }] }
- { name: pooled, host: pool, path: /p, routes: [{ name: pooled, paths: [/pooled] }] }
- { name: nobody, host: empty, routes: [{ name: nobody, paths: [/nobody] }] }
- { name: flaky, host: flaky, routes: [{ name: flaky, paths: [/flaky] }] }
- name: old
  url: http://127.0.0.1:${port}/base
  routes: [{ name: v1, paths: [/v1], path_handling: v1 }]
routes:
- { name: lonely, paths: [/lonely], plugins: [{ name: target }, { name: probe }] }
plugins: [{ name: early }]
`,
      plugins,
    );
  });
  after(async () => {
    await running?.gateway.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  const gateway = () => {
    assert.ok(running);
    return running;
  };
  const send = async (path: string, more: Partial<RawRequest> = {}) => {
    received.length = 0;
    for (const key of Object.keys(sees)) delete sees[key];
    const response = await rawRequest(gateway().port, { path, ...more });
    const header = (name: string) => response.headers.find(([key]) => key.toLowerCase() === name)?.[1];
    return {
      status: Number(response.statusLine.split(' ')[1]),
      header,
      body: response.body,
      lines: received.map(({ line }) => line),
    };
  };
  const withHost = (...hosts: string[]) => ({ headers: hosts.map((host) => ['Host', host] as const) });

  it('refuses what nginx refuses', async () => {
    for (const [path, status] of [
      ['/..', 400],
      ['/%2e%2e/a', 400],
      ['/a%zz', 400],
      ['/a%00b', 400],
      ['/plain%ff', 400],
      [`/${'a'.repeat(9000)}`, 414],
    ] as const) {
      assert.deepEqual([path.slice(0, 20), (await send(path)).status], [path.slice(0, 20), status]);
    }
    for (const hosts of [[], ['a', 'b'], ['a/b'], ['a..b'], [''], [':80'], ['a b']]) {
      assert.equal((await send('/plain', withHost(...hosts))).status, 400, hosts.join());
    }
    const odd = (name: string, value: string) => ({
      headers: [
        ['Host', 'h'],
        [name, value],
      ] as const,
    });
    assert.equal((await send('/plain', odd('X-Long', 'v'.repeat(8300)))).status, 400);
    assert.equal((await send('/plain', odd('Transfer-Encoding', 'gzip, chunked'))).status, 501);
    assert.equal((await send('/plain', { method: 'TRACE' })).status, 405);
    assert.equal((await send('*')).status, 400);
    assert.deepEqual(received, []);
    assert.equal((await send('/plain/a/../b')).lines[0], 'GET /plain/b');
  });

  it('finds routes as Kong does', async () => {
    assert.deepEqual((await send('/x/or2')).lines, ['GET /r2'], 'anchored at the first alternative only');
    assert.deepEqual((await send('/dig/%D9%A1')).lines, ['GET /dig/%D9%A1'], 'a digit of another script');
    assert.deepEqual((await send('/%C3%BC/x')).lines, ['GET /x']);
    assert.equal((await send('/', withHost('A.b:8000'))).status, 404, 'hosts are compared letter by letter');
    assert.equal((await send('/', withHost('a.b:8000'))).status, 200);
    assert.equal((await send('/', withHost('x.W.test'))).status, 404);
    assert.equal((await send('/off')).status, 404);
  });

  it('forwards the path and its prefix', async () => {
    await send('/', withHost('slash.test'));
    assert.equal(received[0]?.headers['x-forwarded-prefix'], undefined);
    await send('/strip/a');
    assert.equal(received[0]?.headers['x-forwarded-prefix'], '/strip');
    assert.deepEqual((await send('/plain?')).lines, ['GET /plain?']);
    assert.deepEqual((await send('/plain?a=1#f')).lines, ['GET /plain?a=1']);
    assert.deepEqual((await send('/v1/x')).lines, ['GET /base/x']);
  });

  it('shows plugins the path of an absolute target', async () => {
    assert.deepEqual((await send('http://x/plain/abs?a=1')).lines, ['GET /plain/abs?a=1']);
    assert.deepEqual([sees.path, sees.forwarded], ['/plain/abs?a=1', '/plain/abs']);
  });

  it('shows plugins headers and captures as Kong', async () => {
    const headers = [
      ['Host', 'h'],
      ['Cookie', 'a=1'],
      ['Cookie', 'b=2'],
      ['X_Under', 'u'],
      ['X.Dot', '1'],
    ] as const;
    await send('/n/5', { headers });
    assert.deepEqual([sees.cookie, sees.under, sees.dot], ['a=1; b=2', 'u', undefined]);
    assert.deepEqual(sees.captures, { unnamed: { 0: '/n/5', 1: '5', 2: '' }, named: { id: '5' } });
    assert.equal(received[0]?.headers['x.dot'], undefined);
  });

  it('answers itself where there is nowhere to go', async () => {
    const nohost = await send('/nohost');
    assert.deepEqual([nohost.status, JSON.parse(nohost.body).message], [503, 'name resolution failed']);
    const lonely = await send('/lonely');
    assert.deepEqual(
      [lonely.status, JSON.parse(lonely.body).message],
      [503, 'no Service found with those values'],
    );
    await until(() => sees.source !== undefined, 'the log phase');
    assert.equal(sees.source, 'exit');
    const early = (what: string) => ({
      headers: [
        ['Host', 'h'],
        ['X-Early', what],
      ] as const,
    });
    assert.equal((await send('/plain', early('target'))).status, 500, 'set_target in rewrite');
    await send('/plain', early('host'));
    assert.equal(received[0]?.headers.host, 'h.test');
    assert.equal((await send('/byname')).status, 500, 'a name where the service has an address');
    assert.equal((await send('/big')).status, 404);
  });

  it('fails by name for a variable of nginx that it does not have', async () => {
    assert.equal((await send('/variable')).status, 500);
    assert.ok(gateway().log.some((line) => line.includes("nginx's variable nope is not emulated")));
  });

  it("gives the body and the upstream's headers to a response handler", async () => {
    const { header } = await send('/whole', { method: 'POST', body: 'hello' });
    assert.deepEqual(sees.body, { content: 'hello' });
    assert.deepEqual([sees.theirs, sees.ours, header('x-kind')], ['theirs', 'mine', 'mine']);
    const none = await send('/whole/none');
    assert.deepEqual([none.status, none.header('content-length')], [204, undefined]);
    assert.equal((await send('/asks')).header('content-length'), '2');
  });

  it('keeps what node cannot send, and fails for a length that is none', async () => {
    assert.equal((await send('/odd')).status, 200);
    assert.ok(gateway().log.some((line) => line.includes('header name "a b"')));
    assert.equal((await send('/length')).status, 500);
  });

  it('sends a chunked body with its length', async () => {
    const socket = net.connect(gateway().port, '127.0.0.1');
    received.length = 0;
    socket.write(
      'POST /plain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    await new Promise((resolve) => socket.on('close', resolve).resume());
    assert.deepEqual([received[0]?.headers['content-length'], received[0]?.body], ['5', 'hello']);
  });

  it('shares requests out between targets by weight, and tries the next one', async () => {
    for (let i = 0; i < 4; i++) assert.equal((await send('/pooled')).status, 200);
    assert.deepEqual([received[0]?.line, received[0]?.headers.host], ['GET /p', `pool.test:${port}`]);
    assert.equal((await send('/nobody')).status, 503);
    for (let i = 0; i < 2; i++) assert.equal((await send('/flaky')).status, 200);
    assert.equal(received[0]?.headers.host, `127.0.0.1:${port}`);
  });

  it('runs a plugin for the consumer that another has named', async () => {
    const greeting = async (user?: string) =>
      (
        await send('/people', {
          headers: [['Host', 'h'], ...(user === undefined ? [] : [['X-User', user] as const])],
        })
      ).header('x-greeting');
    assert.deepEqual(
      [await greeting(), await greeting('bob'), await greeting('ann')],
      ['anybody', 'anybody', 'ann'],
    );
    assert.equal((await send('/secure')).header('x-greeting'), 'secure', 'for https, on http');
  });

  it('passes a WebSocket on', async () => {
    const socket = net.connect(gateway().port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    received.length = 0;
    socket.write(
      'GET /ws/a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n',
    );
    await until(() => text.includes('\r\n\r\n'), 'the handshake');
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.match(text, /\r\nConnection: upgrade\r\n/);
    assert.match(text, /\r\nX-Up: 1\r\n/);
    assert.equal(received[0]?.line, 'UPGRADE /a');
    assert.equal(received[0]?.headers['sec-websocket-key'], 'k');
    socket.write('hi');
    await new Promise((resolve) => socket.on('close', resolve));
    assert.ok(text.endsWith('echo hi'), text);
  });
});
