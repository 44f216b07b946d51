import assert from 'node:assert/strict';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Kong } from '../../src/index.js';
import { startTestGateway, type TestGateway } from '../../src/testing/index.js';

/** What the upstream does with each connection, until a test says otherwise. */
type Behaviour = (socket: Socket, connection: number) => void;

const answers: Behaviour = (socket) =>
  socket.once('data', () =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'),
  );
const isSilent: Behaviour = (socket) => socket.resume();
const readsNothing: Behaviour = (socket) => socket.pause();

const plugins = {
  limits: {
    version: '1.0.0',
    Schema: [
      { timeouts: { type: 'array', elements: { type: 'integer' } } },
      { retries: { type: 'integer' } },
    ],
    Plugin: class {
      constructor(private readonly config: { timeouts?: [number, number, number]; retries?: number }) {}

      async access(kong: Kong): Promise<void> {
        if (this.config.timeouts !== undefined) await kong.service.setTimeouts(...this.config.timeouts);
        if (this.config.retries !== undefined) await kong.service.setRetries(this.config.retries);
      }
    },
  },
  whole: {
    version: '1.0.0',
    Plugin: class {
      async access(kong: Kong): Promise<void> {
        await kong.service.request.enableBuffering();
      }

      async response(kong: Kong): Promise<void> {
        const body = await kong.service.response.getBody();
        await kong.response.setHeader('x-body', JSON.stringify(body));
      }
    },
  },
} as const;

describe('upstreams that fail', () => {
  const sockets = new Set<Socket>();
  let behaviour: Behaviour = answers;
  let connections = 0;
  let upstream: Server;
  let gateway: TestGateway;

  before(async () => {
    upstream = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      behaviour(socket, ++connections);
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const service = (name: string, more: object, plugin?: object) => ({
      name,
      url: `http://127.0.0.1:${port}`,
      ...more,
      routes: [{ name, paths: [`/${name}`], plugins: plugin === undefined ? [] : [plugin] }],
    });
    const limits = (config: object) => ({ name: 'limits', config });
    gateway = await startTestGateway({
      plugins,
      protocol: 'msgpack',
      upstream: 'configured',
      config: {
        _format_version: '3.0',
        services: [
          service('read', { retries: 2, read_timeout: 50 }),
          service('write', { retries: 0, write_timeout: 50 }),
          service('quick', { retries: 0, read_timeout: 40_000 }, limits({ timeouts: [1000, 60_000, 50] })),
          service('pushy', { retries: 0 }, limits({ timeouts: [1000, 50, 60_000] })),
          service('once', { retries: 5, read_timeout: 50 }, limits({ retries: 0 })),
          service('again', { retries: 0, read_timeout: 50 }, limits({ retries: 1 })),
          service('bad', {}, limits({ timeouts: [1, 2, 0] })),
          service('whole', {}, { name: 'whole' }),
        ],
      },
    });
  });
  after(async () => {
    await gateway.close();
    for (const socket of sockets) socket.destroy();
    upstream.close();
  });

  const large = Buffer.alloc(16 * 2 ** 20);
  const cases: readonly [
    what: string,
    path: string,
    does: Behaviour,
    init: { method?: string; body?: Buffer | string },
    status: number,
    connections: number,
  ][] = [
    ['silent: a GET is sent again', '/read', isSilent, {}, 504, 3],
    ['silent: a POST is not', '/read', isSilent, { method: 'POST' }, 504, 1],
    [
      'hangs up once: a GET is sent again',
      '/read',
      (socket, n) => (n === 1 ? socket.end() : answers(socket, n)),
      {},
      200,
      2,
    ],
    [
      'hangs up: a POST is not sent again',
      '/read',
      (socket) => socket.once('data', () => socket.end()),
      { method: 'POST' },
      502,
      1,
    ],
    [
      'answers what is no HTTP: once',
      '/read',
      (socket) => socket.once('data', () => socket.end('no HTTP\r\n\r\n')),
      {},
      502,
      1,
    ],
    ['takes no body: write_timeout', '/write', readsNothing, { method: 'POST', body: large }, 504, 1],
    ['set_timeouts: read', '/quick', isSilent, {}, 504, 1],
    ['set_timeouts: write', '/pushy', readsNothing, { method: 'POST', body: large }, 504, 1],
    ['set_retries: fewer', '/once', isSilent, {}, 504, 1],
    ['set_retries: more', '/again', isSilent, {}, 504, 2],
    ['set_timeouts: 0 is none', '/bad', answers, {}, 500, 0],
  ];
  for (const [what, path, does, init, status, expected] of cases) {
    it(what, async () => {
      behaviour = does;
      connections = 0;
      assert.equal((await gateway.request(path, init)).status, status);
      assert.equal(connections, expected);
    });
  }

  it('has the whole response over MsgPack:1', async () => {
    behaviour = answers;
    assert.equal((await gateway.request('/whole')).headers['x-body'], '{"a":1}');
  });
});
