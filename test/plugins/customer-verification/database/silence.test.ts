import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { Postgres } from '../../../../src/dev/postgres.js';
import { startPostgres } from '../../../support/postgres.js';
import { eventually, type GatewayRig, signed, startGateway } from '../rig.js';

/** Between the plugin and the database: connections can go silent without being closed, and be slow to come up. */
class FaultyNetwork {
  private readonly pairs = new Set<{ socket: Socket; upstream: Socket }>();
  /** How long a connection waits before anything passes. */
  delayMs = 0;
  accepted = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {}

  static async create(target: number): Promise<FaultyNetwork> {
    const server = createServer().listen(0, '127.0.0.1');
    const proxy = new FaultyNetwork(server, target);
    server.on('connection', (socket) => proxy.accept(socket));
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  private accept(socket: Socket): void {
    this.accepted += 1;
    socket.on('error', () => socket.destroy());
    setTimeout(() => {
      const upstream = connect(this.target, '127.0.0.1');
      const pair = { socket, upstream };
      this.pairs.add(pair);
      upstream.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.pairs.delete(pair);
        upstream.destroy();
      });
      upstream.on('close', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    }, this.delayMs);
  }

  /** What passes on the connections that there are is lost from now on, as behind a firewall that forgot them. */
  silence(): void {
    for (const { socket, upstream } of this.pairs) {
      socket.unpipe(upstream);
      upstream.unpipe(socket);
      socket.resume();
      upstream.resume();
    }
  }

  close(): void {
    this.server.close();
    for (const { socket, upstream } of this.pairs) {
      socket.destroy();
      upstream.destroy();
    }
  }
}

describe('customer-verification and connections that are slow or go silent', () => {
  let postgres: Postgres;
  let db: pg.Client;
  let proxy: FaultyNetwork;
  let gateway: GatewayRig;

  const add = (id: string) =>
    db.query(
      `insert into customer (certificate, authentication) values ($1, '{"client_key": "k"}')
       on conflict (certificate) do update set authentication = excluded.authentication`,
      [id],
    );
  const revoke = (id: string) =>
    db.query(
      `update customer set authentication = authentication || '{"revoked": true}' where certificate = $1`,
      [id],
    );
  const status = async (route: string, id: string) =>
    (await gateway.send(`/${route}`, signed(id, 'k'))).status;

  before(async () => {
    postgres = await startPostgres();
    db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
    proxy = await FaultyNetwork.create(postgres.port);
    proxy.delayMs = 1800;
    Object.assign(process.env, postgres.env, {
      SERVER_DB_PORT: String(proxy.port),
      KONG_TS_ENV_FILE: '/nonexistent',
    });
    await add('alice');
    gateway = await startGateway({ default: {}, other: { cache_size: 77 } });
  });
  after(async () => {
    await gateway?.close();
    proxy?.close();
    await db?.end();
    await postgres?.dispose();
  });

  it('refuses nobody because the first connection is slow', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => status('default', 'alice')));
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.ok(proxy.accepted >= 2, 'through the proxy');
    proxy.delayMs = 0;
  });

  it('refuses a revoked customer within a second although every connection has gone silent', async () => {
    for (let round = 0; round < 3; round += 1) {
      await add('alice');
      await eventually('alice is accepted', 10_000, async () => (await status('default', 'alice')) === 200);
      await eventually('and on another route', 10_000, async () => (await status('other', 'alice')) === 200);
      proxy.silence();
      await revoke('alice');
      await Promise.all(
        ['default', 'other'].map((route) =>
          eventually(`${route}: refused`, 1000, async () => (await status(route, 'alice')) === 403),
        ),
      );
    }
  });

  it('keeps accepting the others meanwhile', async () => {
    await add('alice');
    await eventually('alice is accepted', 10_000, async () => (await status('default', 'alice')) === 200);
    proxy.silence();
    const until = performance.now() + 2500;
    while (performance.now() < until) assert.equal(await status('default', 'alice'), 200);
  });
});
