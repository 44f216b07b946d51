import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { measureWith } from '../../../src/api/metrics.js';
import type { Postgres } from '../../../src/dev/postgres.js';
import { Metrics } from '../../../src/server/metrics.js';
import { startPostgres } from '../../support/postgres.js';
import { eventually, type GatewayRig, signed, startGateway } from './rig.js';

interface Snapshot {
  name: string;
  values: { value: number; labels: Record<string, string>; metricName?: string }[];
}

describe('the metrics of customer-verification', () => {
  const registry = new Metrics(() => 0);
  let postgres: Postgres;
  let gateway: GatewayRig;
  before(async () => {
    measureWith(registry.sink());
    postgres = await startPostgres();
    Object.assign(process.env, postgres.env, { KONG_TS_ENV_FILE: '/nonexistent' });
    gateway = await startGateway({ once: { clock_skew: 30, replay_protection: true } });
  });
  after(async () => {
    measureWith(undefined);
    await gateway?.close();
    await postgres?.dispose();
  });

  const measured = async (name: string, labels: Record<string, string> = {}) => {
    const snapshot = (await registry.snapshot()) as Snapshot[];
    const values = snapshot.find((metric) => metric.name === `customer_verification_${name}`)?.values ?? [];
    const wanted = values.filter((one) =>
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
    );
    return wanted.reduce((sum, { value }) => sum + value, 0);
  };

  it('count results, cache lookups, database errors and replays', async () => {
    const send = (id: string, key: string, time = String(Date.now())) =>
      gateway.send('/once', signed(id, key, time));
    // Until the database has answered once, so that the numbers below do not depend on how busy the machine is.
    await eventually('the database answers', 20_000, async () => {
      await send('warm up', 'k');
      return (await measured('results_total', { result: 'unknown_customer' })) > 0;
    });
    const before = await measured('cache_lookups_total', { outcome: 'negative_hit' });
    // The cache is dropped once more when the listener for changes has connected.
    await eventually('a stranger is remembered', 20_000, async () => {
      await send('warm up', 'k');
      return (await measured('cache_lookups_total', { outcome: 'negative_hit' })) > before;
    });
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(
      `insert into customer (certificate, authentication) values ('alice', '{"client_key": "k"}')`,
    );
    await client.end();
    const time = String(Date.now());
    assert.equal((await send('alice', 'k', time)).status, 200);
    assert.equal((await send('alice', 'k', time)).status, 403);
    assert.equal((await send('alice', 'wrong')).status, 403);
    assert.equal((await gateway.send('/once', [])).status, 400);
    for (const result of ['verified', 'replayed', 'bad_signature', 'invalid_headers']) {
      assert.equal(await measured('results_total', { result }), 1, result);
    }
    assert.equal(await measured('replays_refused_total'), 1);
    assert.ok((await measured('cache_lookups_total', { outcome: 'hit' })) >= 1);
    assert.ok((await measured('cache_lookups_total', { outcome: 'miss' })) >= 2);
    assert.ok((await measured('database_seconds')) > 0);
    await postgres.stop();
    assert.equal((await send('stranger', 'k')).status, 403);
    assert.equal((await measured('results_total', { result: 'database_unavailable' })) > 0, true);
    assert.ok((await measured('database_errors_total', { kind: 'connection' })) >= 1);
  });
});
