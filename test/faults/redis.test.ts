import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import type { Postgres } from '../../src/dev/postgres.js';
import { signed } from '../plugins/customer-verification/rig.js';
import { RedisServer, redisLeftOut } from '../support/redis.js';
import { FaultRig, startCustomers } from './rig.js';

const SIGNED_HEADERS = ['client-certificate-id', 'client-request-signature', 'client-request-time'];

/** Faults of Redis under load, with replay protection: half of the forged requests are requests that were good once. */
describe('Redis', { skip: redisLeftOut }, () => {
  let postgres: Postgres;
  let redis: RedisServer;
  let control: Redis;
  let rig: FaultRig;
  /** What the upstream has had. */
  const accepted: Record<string, string>[] = [];
  let replays = 0;

  const headers = (kind: 'good' | 'forged', number: number): Record<string, string> => {
    const replayed = accepted[number % accepted.length];
    if (kind === 'forged' && number % 2 === 0 && replayed !== undefined) {
      replays++;
      return replayed;
    }
    const key = kind === 'good' ? `k${number % 40}` : 'guessed';
    return Object.fromEntries(signed(`c${number % 40}`, key, String(Date.now())));
  };

  before(async () => {
    [postgres, redis] = await Promise.all([startCustomers(), RedisServer.create()]);
    control = new Redis(redis.url);
    // It is cut off, too, now and then.
    control.on('error', () => {});
    rig = await FaultRig.start({
      args: ['--workers', '2'],
      env: { ...postgres.env, REDIS_URL: redis.url },
      config: { clock_skew: 300, replay_protection: true, replay_store: 'redis' },
      headers,
      onUpstream: (received) => {
        accepted.push(Object.fromEntries(SIGNED_HEADERS.map((name) => [name, String(received[name])])));
      },
    });
  });
  after(async () => {
    await rig?.stop();
    control?.disconnect();
    await redis?.dispose();
    await postgres?.dispose();
  });

  const FAULTS: [what: string, cause: () => Promise<unknown>, heal: () => Promise<unknown>][] = [
    ['is killed', () => redis.stop('SIGKILL'), () => redis.start()],
    ['stands still', async () => redis.pause(), async () => redis.resume()],
    ['is stopped and started', () => redis.stop('SIGTERM'), () => redis.start()],
    [
      'has no connections left',
      async () => {
        await control.config('SET', 'maxclients', '1');
        await control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      },
      () => control.config('SET', 'maxclients', '1000'),
    ],
    [
      'asks for a password',
      async () => {
        await control.config('SET', 'requirepass', 'other');
        await control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      },
      () => control.config('SET', 'requirepass', ''),
    ],
  ];

  for (const [what, cause, heal] of FAULTS) {
    it(`${what}: nothing is let through that it cannot vouch for`, async (t) => {
      const faultAt = performance.now();
      await cause();
      await rig.felt(faultAt);
      await heal();
      const ms = await rig.assertHealed();
      t.diagnostic(`recovered ${Math.round(ms)} ms after the repair`);
      assert.equal(rig.server.starts, 1);
    });
  }

  it('let no request through twice, of many that came twice', async () => {
    await rig.settle(performance.now());
    assert.ok(replays > 100, `${replays} replays`);
    const marks = accepted.map((request) => request['client-request-signature']);
    assert.equal(new Set(marks).size, marks.length);
  });
});
