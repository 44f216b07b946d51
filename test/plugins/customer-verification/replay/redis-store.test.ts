import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { parseConfig } from '../../../../plugins/customer-verification/config.js';
import { ReplayStoreError } from '../../../../plugins/customer-verification/errors.js';
import { openReplayStore } from '../../../../plugins/customer-verification/replay/open-store.js';
import { RedisReplayStore } from '../../../../plugins/customer-verification/replay/redis-store.js';
import { RedisServer, redisLeftOut } from '../../../support/redis.js';
import { eventually } from '../rig.js';

const SKEW_MS = 30_000;

describe('RedisReplayStore', { skip: redisLeftOut }, () => {
  let redis: RedisServer;
  const stores: RedisReplayStore[] = [];

  const open = () => {
    const store = new RedisReplayStore(redis.url);
    store.retain(SKEW_MS);
    stores.push(store);
    return store;
  };
  const refused = (store: RedisReplayStore, mark: string) =>
    assert.rejects(store.claim(mark, Date.now()), (error) => error instanceof ReplayStoreError);
  const works = (store: RedisReplayStore) => () => {
    const mark = `${Math.random()}`;
    return store.claim(mark, Date.now()).catch(() => false);
  };

  before(async () => {
    redis = await RedisServer.create();
  });
  after(async () => {
    for (const store of stores) store.close();
    await redis.dispose();
  });

  it('takes a signature once, whichever of two gateways sees it first', async () => {
    const [one, two] = [open(), open()];
    await eventually('both are connected', 10_000, async () => (await works(one)()) && (await works(two)()));
    const signedAt = Date.now();
    const claims = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two).claim('same', signedAt)),
    );
    assert.equal(claims.filter(Boolean).length, 1);
    assert.equal(await one.claim('other', signedAt), true);
  });

  it('lets Redis forget a signature when it is no longer good', async () => {
    const store = open();
    const client = new Redis(redis.url);
    for (const [mark, offset] of [
      ['past', -20_000],
      ['present', 0],
      ['future', 20_000],
    ] as const) {
      await eventually(mark, 10_000, () => store.claim(mark, Date.now() + offset).catch(() => false));
      const left = await client.pttl(`customer-verification:replay:${mark}`);
      const good = SKEW_MS + offset;
      assert.ok(left > good - 10_000 && left <= good + 1_001, `${mark}: ${left} ms`);
    }
    client.disconnect();
  });

  it('does not take a used signature again because a larger clock skew would', async () => {
    const client = new Redis(redis.url);
    await client.flushall();
    const small = new RedisReplayStore(redis.url);
    small.retain(200);
    stores.push(small);
    const signedAt = Date.now();
    await eventually('used', 10_000, () => small.claim('used', signedAt).catch(() => false));
    await eventually('Redis forgets it', 5000, async () => {
      return (await client.exists('customer-verification:replay:used')) === 0;
    });
    const large = open();
    const answer = await large.claim('used', signedAt);
    assert.equal(answer, false);
    assert.equal(await large.claim('new', Date.now()), true);
    // The one with the small skew keeps signatures for the other one, from the next refresh on.
    await eventually('heard of the larger skew', 10_000, async () => {
      const mark = `${Math.random()}`;
      await small.claim(mark, Date.now());
      return (await client.pttl(`customer-verification:replay:${mark}`)) > 20_000;
    });
    client.disconnect();
  });

  it('refuses while Redis is down, at once, and is back by itself', async () => {
    const store = open();
    await eventually('connected', 10_000, works(store));
    await redis.stop();
    await eventually('the loss is noticed', 2000, () =>
      store.claim('x', Date.now()).then(
        () => false,
        () => true,
      ),
    );
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 100 }, (_, i) => refused(store, `down ${i}`)));
    assert.ok(performance.now() - startedAt < 1000);
    await redis.start();
    await eventually('recovery', 2000, works(store));
  });

  it('refuses within a second or so while Redis does not answer, and is back by itself', async () => {
    const store = open();
    await eventually('connected', 10_000, works(store));
    redis.pause();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 100 }, (_, i) => refused(store, `frozen ${i}`)));
    assert.ok(performance.now() - startedAt < 3000);
    redis.resume();
    await eventually('recovery', 3000, works(store));
  });
});

describe('RedisReplayStore without Redis', () => {
  it('refuses at the first request when nothing listens, and in time in front of a black hole', async () => {
    const sockets = new Set<Socket>();
    const hole = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
    await once(hole, 'listening');
    const { port } = hole.address() as { port: number };
    const store = new RedisReplayStore(`redis://127.0.0.1:${port}`);
    const startedAt = performance.now();
    await assert.rejects(store.claim('a', Date.now()), ReplayStoreError);
    assert.ok(performance.now() - startedAt < 3000);
    hole.close();
    for (const socket of sockets) socket.destroy();
    await eventually('the loss is noticed', 5000, () =>
      store.claim('b', Date.now()).then(
        () => false,
        () => true,
      ),
    );
    store.close();
  });
});

describe('openReplayStore', () => {
  const config = (fields: Record<string, unknown>) => parseConfig({ clock_skew: 30, ...fields });

  it('opens nothing unless it is asked to', () => {
    assert.equal(openReplayStore(config({}), {}), undefined);
  });

  it('names what is missing', () => {
    const redis = config({ replay_protection: true, replay_store: 'redis' });
    assert.throws(() => openReplayStore(redis, {}), /REDIS_URL is not set/);
    assert.throws(
      () => openReplayStore(redis, { REDIS_URL: 'http://secret@x' }),
      (error: Error) => {
        assert.match(error.message, /REDIS_URL must begin/);
        return !error.message.includes('secret');
      },
    );
  });

  it('does not keep signatures in the memory of one worker of several', () => {
    const memory = config({ replay_protection: true });
    assert.throws(() => openReplayStore(memory, { KONG_TS_WORKERS: '2' }), /replay_store must be redis/);
    const one = openReplayStore(memory, {});
    const two = openReplayStore(memory, {});
    assert.ok(one);
    assert.equal(one.value, two?.value);
    assert.equal(one.value.claim('used', Date.now(), 'alice'), true);
    one.release();
    two?.release();
    // As when an idle instance ends and the next request starts another one.
    assert.equal(openReplayStore(memory, {})?.value.claim('used', Date.now(), 'alice'), false);
  });
});
