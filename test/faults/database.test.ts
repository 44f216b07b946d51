import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { Postgres } from '../../src/dev/postgres.js';
import { killPostgres } from '../support/postgres.js';
import { FaultRig, startCustomers } from './rig.js';

const ROLE = 'gateway';
const FIRST = 'secret-one';
const SECOND = 'secret-two';

/** Faults of PostgreSQL under load, without the stale entries that would ride them out. */
describe('PostgreSQL', () => {
  let postgres: Postgres;
  let rig: FaultRig;

  const sql = async (...statements: string[]) => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const dropConnections = `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${ROLE}'`;

  before(async () => {
    postgres = await startCustomers();
    await sql(`create role ${ROLE} login password '${FIRST}'`, `grant select on customer to ${ROLE}`);
    rig = await FaultRig.start({
      env: { ...postgres.env, SERVER_DB_USER: ROLE, SERVER_DB_PASSWORD: FIRST },
      config: { cache_ttl: 1, negative_cache_ttl: 0, stale_ttl: 0 },
    });
  });
  after(async () => {
    await rig.stop();
    await postgres.dispose();
  });

  const FAULTS: [what: string, cause: () => Promise<unknown>, heal: () => Promise<unknown>][] = [
    ['is killed', () => killPostgres(postgres), () => postgres.start()],
    ['stands still', () => postgres.pause(), () => postgres.resume()],
    ['is stopped and started', () => postgres.stop(), () => postgres.start()],
    [
      'has no connections left',
      () => sql(`alter role ${ROLE} connection limit 0`, dropConnections),
      () => sql(`alter role ${ROLE} connection limit -1`),
    ],
    [
      'takes another password',
      () => sql(`alter role ${ROLE} password '${SECOND}'`, dropConnections),
      () => sql(`alter role ${ROLE} password '${FIRST}'`),
    ],
  ];

  for (const [what, cause, heal] of FAULTS) {
    it(`${what}: nobody who cannot be looked up is let through, and all are again afterwards`, async (t) => {
      const faultAt = performance.now();
      await cause();
      await rig.felt(faultAt);
      for (const { status } of rig.load.wrong(faultAt)) assert.equal(status, 403);
      await heal();
      const ms = await rig.assertHealed();
      t.diagnostic(`recovered ${Math.round(ms)} ms after the repair`);
      assert.equal(rig.server.starts, 1);
    });
  }

  it('let nothing forged through, and its password is in no line', async () => {
    await rig.settle(performance.now());
    assert.match(rig.server.output, /\[customer-verification\] not listening for changed customers: /);
    assert.doesNotMatch(rig.server.output, /secret-/);
  });
});
