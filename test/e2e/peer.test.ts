import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { type EchoedRequest, startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { createPluginCaller } from '../../src/gateway/rpc/create-caller.js';
import { loadPlugins } from '../../src/plugin/loader.js';
import { createLog } from '../../src/server/log.js';
import { PluginServer } from '../../src/server/server.js';
import { OwnSocket } from '../../src/server/socket/own-socket.js';
import { type RawRequest, type RawResponse, rawRequest } from '../gateway/raw-client.js';

const PLUGINS = fileURLToPath(new URL('../fixtures/stock-plugins', import.meta.url));
const STOCK = join(
  dirname(createRequire(import.meta.url).resolve('kong-pdk/package.json')),
  'bin/kong-js-pluginserver',
);

/** Its ts-node would take this package's settings otherwise, which are for ES modules. */
const STOCK_TYPESCRIPT = {
  TS_NODE_TRANSPILE_ONLY: 'true',
  TS_NODE_SKIP_PROJECT: 'true',
  TS_NODE_COMPILER_OPTIONS: '{"module":"commonjs","moduleResolution":"node"}',
};

/** What a client and the upstream saw of one request. */
interface Seen {
  readonly status: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: unknown;
}

interface Contender {
  request(request: RawRequest): Promise<Seen>;
  close(): Promise<void>;
}

const HOST = ['Host', 'peer.test'] as const;
const REQUESTS: readonly RawRequest[] = [
  { path: '/all/a%20b?q=1&r', headers: [HOST, ['X-Two', 'a'], ['X-Two', 'b'], ['X-Secret', 's']] },
  { path: '/all', headers: [HOST, ['X-Two', 'one'], ['X-Seen', 'forged'], ['x-seen', 'twice']] },
  { path: '/all', method: 'POST', headers: [HOST], body: 'a small body' },
  { path: '/all/refused', headers: [HOST] },
  { path: '/all/error', headers: [HOST, ['Accept', 'application/json']] },
  { path: '/all/error', headers: [HOST, ['Accept', 'text/html']] },
  { path: '/typed', headers: [HOST] },
  { path: '/snake', headers: [HOST, ['X-Token', 'a']] },
  { path: '/snake', headers: [HOST] },
  { path: '/inspects', headers: [HOST] },
  { path: '/nulls', headers: [HOST] },
  { path: '/argument?debug', headers: [HOST] },
  { path: '/argument?debug=1&debug=2', headers: [HOST] },
  { path: '/argument', headers: [HOST] },
  { path: '/my-auth', headers: [HOST] },
];

/** What plugins see of these is in another form, unless they ask for the stock server's. */
const VALUES: readonly RawRequest[] = [
  {
    path: '/values/a-1?a=1&b&c=2&c=3',
    headers: [HOST, ['X-One', '1'], ['X-Two', 'a'], ['X-Two', 'b'], ['X-Empty', '']],
  },
  { path: '/values/b-2', method: 'POST', headers: [HOST, ['X-One', '1']], body: 'bytes \u00fc' },
];

/** What differs from one request to the next, whoever runs the plugin. */
const VARYING = /^(date|content-length|x-kong-.*|connection|x-real-ip|x-forwarded-.*)$/i;
const steady = (headers: readonly (readonly [string, string])[]) =>
  headers
    .filter(([name]) => !VARYING.test(name))
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort();

function seen({ statusLine, headers, body }: RawResponse): Seen {
  const shown = body.replace(/[0-9a-f]{32}/g, '(request id)');
  if (!headers.some(([name, value]) => name.toLowerCase() === 'x-upstream' && value === 'echo')) {
    return { status: statusLine, headers: steady(headers), body: shown };
  }
  const upstream = JSON.parse(body) as EchoedRequest;
  const received = { ...upstream, headers: steady(upstream.headers) };
  return { status: statusLine, headers: steady(headers), body: received };
}

/** What a Lua plugin behind one of ours finds in the context. */
const LUA_SEES = {
  name: 'post-function',
  config: {
    access: [
      "local u = kong.ctx.shared.user; kong.response.set_header('x-lua', type(u.admin) .. ' ' .. #u.list)",
    ],
  },
};

describe('the same plugins in the stock server and in this one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-'));
  const contenders: Record<string, Contender> = {};
  const logs: string[] = [];
  let stock: ChildProcess;
  let ours: PluginServer;
  let compat: PluginServer;
  let upstream: Awaited<ReturnType<typeof startEchoUpstream>>;

  before(async () => {
    const sockets = {
      stock: join(folder, 'stock.sock'),
      ours: join(folder, 'ours.sock'),
      compat: join(folder, 'compat.sock'),
    };
    stock = spawn(process.execPath, [STOCK, '-d', PLUGINS, '-p', folder, '--sock-name', 'stock.sock'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...STOCK_TYPESCRIPT },
    });
    let said = '';
    stock.stderr?.on('data', (text) => {
      said += text;
    });
    const { plugins, failures } = await loadPlugins(PLUGINS);
    assert.deepEqual(failures, []);
    assert.deepEqual(
      plugins.map(({ name, version, priority, phases }) => [name, version, priority, ...phases]),
      [
        ['argument', '0.1.0', 0, 'access'],
        ['buffering', '0.1.0', 0, 'rewrite', 'response'],
        ['greeter', '0.1.0', 5, 'access', 'response'],
        ['inspects', '0.1.0', 5, 'access'],
        ['my-auth', '1.2.3', 0, 'access'],
        ['nulls', '0.1.0', 10, 'access'],
        ['snake', '0.1.0', 5, 'access'],
        ['typed-greeter', '0.2.0', 3, 'access'],
        ['values', '1.0.0', 1, 'access'],
      ],
    );
    ours = new PluginServer({ plugins, log: createLog('notice', (line) => logs.push(line)) });
    await ours.listen(new OwnSocket(sockets.ours));
    const compatible = plugins.map((plugin) => ({ ...plugin, compat: 'stock' as const }));
    compat = new PluginServer({ plugins: compatible, log: createLog('notice', (line) => logs.push(line)) });
    await compat.listen(new OwnSocket(sockets.compat));
    upstream = await startEchoUpstream();
    const declarative = JSON.stringify({
      _format_version: '3.0',
      plugins: [{ name: 'buffering' }],
      services: [
        {
          name: 'echo',
          url: `http://127.0.0.1:${upstream.port}`,
          routes: [
            { name: 'all', paths: ['/all'], plugins: [{ name: 'greeter', config: { message: 'hi' } }] },
            { name: 'typed', paths: ['/typed'], plugins: [{ name: 'typed-greeter' }] },
            { name: 'values', paths: ['~/values/(?<letter>[a-z])-([0-9])'], plugins: [{ name: 'values' }] },
            { name: 'nulls', paths: ['/nulls'], plugins: [{ name: 'nulls' }, LUA_SEES] },
            ...['snake', 'inspects', 'argument', 'my-auth'].map((name) => ({
              name,
              paths: [`/${name}`],
              plugins: [{ name }],
            })),
          ],
        },
      ],
    });
    while (!existsSync(sockets.stock)) {
      assert.equal(stock.exitCode, null, said);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const combinations = [
      ['stock over MsgPack:1', 'msgpack', sockets.stock],
      ['ours over MsgPack:1', 'msgpack', sockets.ours],
      ['ours over ProtoBuf:1', 'protobuf', sockets.ours],
      ['--compat stock over MsgPack:1', 'msgpack', sockets.compat],
      ['--compat stock over ProtoBuf:1', 'protobuf', sockets.compat],
    ] as const;
    for (const [name, protocol, socketPath] of combinations) {
      const { config, problems } = parseDeclarativeConfig(declarative, 'peer', pluginCatalog(plugins));
      assert.deepEqual(problems, []);
      const log = (level: string, text: string) => logs.push(`${name}: [${level}] ${text}`);
      const caller = createPluginCaller(protocol, { socketPath, log });
      const gateway = await createGateway({ config, plugins, caller, log, port: 0 });
      const { port } = await gateway.listen();
      contenders[name] = {
        request: async (request) => seen(await rawRequest(port, request)),
        close: async () => {
          await gateway.close();
          caller.close();
        },
      };
    }
  });

  after(async () => {
    for (const contender of Object.values(contenders)) await contender.close();
    ours?.close();
    compat?.close();
    await upstream?.close();
    if (stock.exitCode === null && stock.signalCode === null) {
      stock.kill('SIGKILL');
      await once(stock, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  for (const request of REQUESTS) {
    const { method = 'GET', path, headers = [] } = request;
    const more = headers.slice(1).map(([name, value]) => `${name}: ${value}`);
    it(`${[`${method} ${path}`, ...more].join(', ')}: same response, same upstream request`, async () => {
      const expected = await contenders['stock over MsgPack:1']?.request(request);
      assert.ok(expected);
      for (const name of ['ours over MsgPack:1', 'ours over ProtoBuf:1']) {
        assert.deepEqual(await contenders[name]?.request(request), expected, `${name}\n${logs.join('\n')}`);
      }
    });
  }

  for (const request of VALUES) {
    it(`${request.path}: with --compat stock, plugins are given what the stock server gives them`, async () => {
      const body = async (name: string) => (await contenders[name]?.request(request))?.body;
      const expected = JSON.parse(String(await body('stock over MsgPack:1')));
      assert.deepEqual(expected.headers['x-one'], ['1']);
      assert.deepEqual(JSON.parse(String(await body('--compat stock over MsgPack:1'))), expected);
      // The whole match does not travel over ProtoBuf:1.
      delete expected.captures.unnamed[0];
      assert.deepEqual(JSON.parse(String(await body('--compat stock over ProtoBuf:1'))), expected);
    });
  }

  it('does what it is for', async () => {
    for (const [name, contender] of Object.entries(contenders)) {
      const [first, , posted, refused] = await Promise.all(
        REQUESTS.map((request) => contender.request(request)),
      );
      const { headers, body } = first as unknown as { headers: [string, string][]; body: EchoedRequest };
      const response = Object.fromEntries(headers);
      assert.deepEqual(
        [response['x-greeting'], response['x-status']],
        ['hi to peer.test', '200 by hi'],
        name,
      );
      const values = (wanted: string) =>
        body.headers.filter(([key]) => key === wanted).map(([, value]) => value);
      assert.deepEqual(values('x-seen'), ['GET /all/a b q=1&r', 'again'], name);
      assert.deepEqual([values('x-two'), values('x-secret')], [['a+b'], []], name);
      assert.equal((posted as { body: EchoedRequest }).body.body, 'A SMALL BODY', name);
      assert.match(refused?.status ?? '', /403/, name);
      assert.equal(refused?.body, '{"message":"refused"}', name);
    }
  });
});
