import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { Postgres } from '../../../../src/dev/postgres.js';
import { type Pgbouncer, pgbouncerLeftOut, startPgbouncer } from '../../../support/pgbouncer.js';
import { startPostgres } from '../../../support/postgres.js';
import { eventually, type GatewayRig, signed, startGateway } from '../rig.js';

const CUSTOMERS = 600;

describe('customer-verification behind PgBouncer', { skip: pgbouncerLeftOut }, () => {
  let postgres: Postgres;
  let db: pg.Client;

  before(async () => {
    postgres = await startPostgres();
    db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
    await db.query(`insert into customer (certificate, authentication)
      select 'c-' || n, jsonb_build_object('client_key', 'k-' || n) from generate_series(1, ${CUSTOMERS + 1}) n`);
  });
  after(async () => {
    await db?.end();
    await postgres?.dispose();
  });

  for (const { mode, poolSize, announced } of [
    { mode: 'session', poolSize: 15, announced: true },
    { mode: 'transaction', poolSize: 2, announced: false },
  ] as const) {
    describe(`in ${mode} mode`, () => {
      let pooler: Pgbouncer;
      let gateway: GatewayRig;

      before(async () => {
        pooler = await startPgbouncer(postgres, mode, poolSize);
        Object.assign(process.env, pooler.env, { KONG_TS_ENV_FILE: '/nonexistent' });
        gateway = await startGateway({ default: {}, uncached: { cache_ttl: 0 } });
      });
      after(async () => {
        await gateway?.close();
        await pooler?.close();
      });

      const status = async (n: number, key = `k-${n}`) =>
        (await gateway.send('/default', signed(`c-${n}`, key))).status;

      it('verifies every good request of many customers, and no bad one', async () => {
        const wrong: number[] = [];
        let next = 1;
        const lane = async () => {
          for (let n = next++; n <= CUSTOMERS; n = next++) {
            if ((await status(n)) !== 200) wrong.push(n);
          }
        };
        await Promise.all(Array.from({ length: 20 }, lane));
        assert.deepEqual(wrong, []);
        assert.equal(await status(1, 'another'), 403);
        assert.doesNotMatch(pooler.lines.join('\n'), /unsupported startup parameter|prepared statement/);
      });

      it('asks for a statement again and again on whichever connection it gets', async () => {
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            gateway.send('/uncached', signed(`c-${i + 1}`, `k-${i + 1}`)),
          ),
        );
        assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
      });

      it(
        announced ? 'hears of a change within a second' : 'warns once that it hears of no change',
        async () => {
          if (announced) {
            assert.equal(await status(CUSTOMERS + 1), 200);
            await db.query('delete from customer where certificate = $1', [`c-${CUSTOMERS + 1}`]);
            await eventually(
              'the deleted customer is refused',
              1000,
              async () => (await status(CUSTOMERS + 1)) === 403,
            );
            assert.doesNotMatch(gateway.log.join('\n'), /not announced/);
          } else {
            const warnings = () =>
              gateway.log.filter((line) => line.includes('not announced to this server'));
            await eventually('the warning', 8000, async () => {
              await status(2);
              return warnings().length > 0;
            });
            assert.match(String(warnings()), /\[warn\].*refused after cache_ttl/);
            assert.equal(warnings().length, 1);
          }
        },
      );
    });
  }
});
