import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DatabaseUnavailableError,
  MalformedCustomerError,
} from '../../../../plugins/customer-verification/errors.js';
import type { Customer } from '../../../../plugins/customer-verification/keys/customer.js';
import { CustomerCache, type Loaded } from '../../../../plugins/customer-verification/keys/customer-cache.js';

const DEFAULTS = { ttlMs: 60_000, size: 100, negativeTtlMs: 5_000, negativeSize: 50, staleTtlMs: 300_000 };

/** A cache over a table in memory, with a clock that only moves when told. */
function setUp(config: Partial<typeof DEFAULTS> = {}) {
  const state = { now: 0, queries: [] as string[], fails: undefined as Error | undefined };
  const table = new Map<string, Customer>();
  /** Answers are held back until `release` is called, when there is one. */
  let gate: { promise: Promise<void>; release: () => void } | undefined;
  const cache = new CustomerCache(
    async (id) => {
      state.queries.push(id);
      const found = table.get(id);
      await gate?.promise;
      if (state.fails) throw state.fails;
      return found;
    },
    { ...DEFAULTS, ...config },
    () => state.now,
  );
  const add = (id: string) => table.set(id, { uuid: `uuid of ${id}`, keys: [], revoked: false });
  const get = async (id: string): Promise<Loaded> => {
    const remembered = cache.peek(id);
    return remembered === undefined ? cache.load(id) : { customer: remembered ?? undefined };
  };
  const hold = () => {
    let release = () => {};
    const promise = new Promise<void>((resolve) => {
      release = resolve;
    });
    gate = { promise, release };
    return () => {
      gate = undefined;
      release();
    };
  };
  return { cache, state, table, add, get, hold };
}

describe('CustomerCache', () => {
  it('asks once per ttl', async () => {
    const { add, get, state } = setUp();
    add('a');
    for (state.now = 0; state.now < 60_000; state.now += 10_000) assert.ok((await get('a')).customer);
    assert.equal(state.queries.length, 1);
    state.now = 60_000;
    await get('a');
    assert.equal(state.queries.length, 2);
  });

  it('asks every time with a ttl of 0', async () => {
    const { add, get, state } = setUp({ ttlMs: 0, negativeTtlMs: 0 });
    add('a');
    for (const id of ['a', 'a', 'nobody', 'nobody']) await get(id);
    assert.equal(state.queries.length, 4);
  });

  it('asks once for any number of concurrent requests', async () => {
    const { add, get, hold, state } = setUp();
    add('a');
    const release = hold();
    const answers = Promise.all(Array.from({ length: 100 }, () => get('a')));
    release();
    assert.equal(
      (await answers).every(({ customer }) => customer?.uuid === 'uuid of a'),
      true,
    );
    assert.deepEqual(state.queries, ['a']);
  });

  it('remembers unknown ids for a shorter time', async () => {
    const { add, get, state } = setUp();
    assert.equal((await get('new')).customer, undefined);
    add('new');
    state.now = 4_999;
    assert.equal((await get('new')).customer, undefined);
    assert.equal(state.queries.length, 1);
    state.now = 5_000;
    assert.ok((await get('new')).customer);
  });

  it('keeps customers through a flood of made-up ids, within its bounds', async () => {
    const { add, cache, get, state } = setUp({ size: 10, negativeSize: 20 });
    for (let i = 0; i < 10; i += 1) {
      add(`customer ${i}`);
      await get(`customer ${i}`);
    }
    for (let i = 0; i < 1000; i += 1) await get(`made up ${'x'.repeat(i)}`);
    assert.deepEqual(cache.sizes, { known: 10, unknown: 20, loading: 0 });
    state.queries.length = 0;
    for (let i = 0; i < 10; i += 1) assert.ok((await get(`customer ${i}`)).customer);
    assert.deepEqual(state.queries, []);
  });

  it('falls back on an answer that expired less than the stale ttl ago', async () => {
    const { add, get, state } = setUp();
    add('a');
    await get('a');
    state.fails = new DatabaseUnavailableError('connection', 'down');
    state.now = 60_000;
    assert.deepEqual(await get('a'), {
      customer: { uuid: 'uuid of a', keys: [], revoked: false },
      stale: true,
    });
    state.now = 359_999;
    assert.equal((await get('a')).stale, true);
    state.now = 360_000;
    await assert.rejects(get('a'), DatabaseUnavailableError);
    await assert.rejects(get('never seen'), DatabaseUnavailableError);
  });

  it('does not fall back when the source says that the row is malformed', async () => {
    const { add, get, state } = setUp({ ttlMs: 0 });
    add('a');
    await get('a');
    state.fails = new MalformedCustomerError('broken');
    await assert.rejects(get('a'), MalformedCustomerError);
  });

  it('forgets one id, known or unknown, also as a stand-in', async () => {
    const { add, cache, get, state } = setUp();
    add('a');
    await get('a');
    await get('b');
    cache.forget('a');
    cache.forget('b');
    assert.equal(cache.peek('a'), undefined);
    assert.equal(cache.peek('b'), undefined);
    state.fails = new DatabaseUnavailableError('connection', 'down');
    await assert.rejects(get('a'), DatabaseUnavailableError);
  });

  it('forgets long unknown ids, too', async () => {
    const { cache, get } = setUp();
    const id = 'x'.repeat(5000);
    await get(id);
    assert.equal(cache.peek(id), null);
    cache.forget(id);
    assert.equal(cache.peek(id), undefined);
  });

  it('asks about everybody while changes may go unnoticed, and falls back on what would still be good', async () => {
    const { add, cache, get, state } = setUp({ staleTtlMs: 0 });
    add('a');
    await get('a');
    state.now = 10;
    cache.trust(false);
    assert.equal(cache.peek('a'), undefined);
    state.fails = new DatabaseUnavailableError('connection', 'down');
    assert.deepEqual(await get('a'), { customer: { uuid: 'uuid of a', keys: [], revoked: false } });
    state.fails = undefined;
    await get('a');
    assert.ok(cache.peek('a'), 'an answer is good for a moment');
    state.now = 260;
    assert.equal(cache.peek('a'), undefined);
    cache.trust(true);
    assert.ok(cache.peek('a'), 'nothing went unnoticed');
  });

  for (const everything of [false, true]) {
    it(`does not remember an answer that was on its way when ${everything ? 'everything' : 'the id'} was forgotten`, async () => {
      const { add, cache, get, hold, state, table } = setUp();
      add('a');
      const release = hold();
      const outdated = get('a');
      table.delete('a');
      cache.forget(everything ? undefined : 'a');
      const after = get('a');
      release();
      assert.ok((await outdated).customer);
      assert.equal((await after).customer, undefined);
      assert.equal(state.queries.length, 2);
      assert.equal(cache.peek('a'), null);
    });
  }
});
