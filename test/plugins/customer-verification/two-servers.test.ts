import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { Postgres } from '../../../src/dev/postgres.js';
import { NODE_CLI } from '../../support/command-line.js';
import { startPostgres } from '../../support/postgres.js';
import { eventually, type GatewayRig, signed, startGateway } from './rig.js';

const ROOT = join(import.meta.dirname, '../../..');

describe('two plugin servers on one database', () => {
  let postgres: Postgres;
  let db: pg.Client;
  let folder: string;
  const servers: ChildProcess[] = [];
  const gateways: GatewayRig[] = [];

  async function startServerProcess(socketPath: string): Promise<void> {
    const server = spawn(
      process.execPath,
      [...NODE_CLI, 'serve', '--plugin', 'customer-verification', '--socket', socketPath],
      {
        cwd: ROOT,
        env: { PATH: process.env.PATH, KONG_TS_ENV_FILE: '/nonexistent', ...postgres.env },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    servers.push(server);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      server.stderr?.on('data', (chunk) => {
        output += chunk;
        if (output.includes('server started at path')) resolve();
      });
      server.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
    });
  }

  before(async () => {
    postgres = await startPostgres();
    db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
    folder = await mkdtemp(join(tmpdir(), 'servers-'));
    const paths = ['one.sock', 'two.sock'].map((name) => join(folder, name));
    await Promise.all(paths.map(startServerProcess));
    for (const path of paths)
      gateways.push(await startGateway({ default: { error_status: 503 } }, { socket: path }));
  });
  after(async () => {
    for (const gateway of gateways) await gateway.close();
    for (const server of servers) {
      if (server.exitCode === null && server.kill()) await once(server, 'exit');
    }
    await db?.end();
    await postgres?.dispose();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const statuses = (id: string, key: string) =>
    Promise.all(gateways.map(async (gateway) => (await gateway.send('/default', signed(id, key))).status));
  /** A lookup may be slow on a busy machine; only what was looked up once has to change within a second. */
  const accepted = (id: string, key: string) =>
    eventually(`${id} is accepted`, 20_000, async () => String(await statuses(id, key)) === '200,200');
  const add = (id: string) =>
    db.query('insert into customer (certificate, authentication) values ($1, $2)', [
      id,
      { client_key: 'k1' },
    ]);
  const within = (what: string, id: string, key: string, expected: number[]) =>
    eventually(what, 1000, async () => String(await statuses(id, key)) === String(expected));

  it('refuse a key within a second of its revocation, rotation or deletion', async () => {
    const changes: [string, string][] = [
      [
        'revoked',
        `update customer set authentication = authentication || '{"revoked": true}' where certificate = $1`,
      ],
      ['rotated', `update customer set authentication = '{"client_key": "k2"}' where certificate = $1`],
      ['renamed', `update customer set certificate = certificate || ' renamed' where certificate = $1`],
      ['deleted', 'delete from customer where certificate = $1'],
    ];
    for (const [id, change] of changes) {
      await add(id);
      await accepted(id, 'k1');
      await db.query(change, [id]);
      await within(`${id}: the old key is refused`, id, 'k1', [403, 403]);
    }
    await accepted('rotated', 'k2');
    await accepted('renamed renamed', 'k1');
  });

  it('accept a customer within a second of its creation, also if the id was tried before', async () => {
    assert.deepEqual(await statuses('new', 'k1'), [403, 403]);
    await add('new');
    await within('the new customer', 'new', 'k1', [200, 200]);
  });

  it('notice changes of more customers than are announced one by one, and an emptied table', async () => {
    await db.query(`insert into customer (certificate, authentication)
      select 'bulk ' || n, '{"client_key": "k1"}' from generate_series(1, 3000) n`);
    await accepted('bulk 2999', 'k1');
    await db.query(
      `update customer set authentication = '{"client_key": "k2"}' where certificate like 'bulk %'`,
    );
    await within('the bulk update', 'bulk 2999', 'k1', [403, 403]);
    await accepted('bulk 2999', 'k2');
    await db.query('truncate customer');
    await within('the emptied table', 'bulk 2999', 'k2', [403, 403]);
  });

  it('notice a change of a customer whose certificate does not fit into a notification', async () => {
    // Too long for a notification (8000 bytes), and short enough for a header line (8 KB). The index compresses it.
    const long = 'x'.repeat(8100);
    await add(long);
    await accepted(long, 'k1');
    await db.query('delete from customer where certificate = $1', [long]);
    await within('the long certificate', long, 'k1', [403, 403]);
  });
});
