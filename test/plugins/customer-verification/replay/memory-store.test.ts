import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReplayStoreError } from '../../../../plugins/customer-verification/errors.js';
import { MemoryReplayStore } from '../../../../plugins/customer-verification/replay/memory-store.js';
import { fingerprint } from '../../../../plugins/customer-verification/replay/replay-store.js';

describe('MemoryReplayStore', () => {
  function setUp(most?: number) {
    const clock = { now: 1_700_000_000_000 };
    const store = new MemoryReplayStore(() => clock.now, most);
    store.retain(30_000);
    const claim = (mark: string, signedAt: number, customer = 'alice') =>
      store.claim(mark, signedAt, customer);
    return { clock, store, claim };
  }

  it('takes a signature once for as long as it is good, from 30 s before to 30 s after its time', () => {
    const { clock, claim } = setUp();
    const signedAt = clock.now + 30_000;
    assert.equal(claim('a', signedAt), true);
    for (; clock.now <= signedAt + 30_000; clock.now += 500) assert.equal(claim('a', signedAt), false);
    assert.equal(claim('b', signedAt), true);
  });

  it('forgets signatures that nobody accepts any more', () => {
    const { clock, store, claim } = setUp();
    for (let i = 0; i < 1000; i += 1) claim(`first ${i}`, clock.now);
    assert.equal(store.size, 1000);
    clock.now += 41_000;
    claim('later', clock.now);
    assert.equal(store.size, 1);
  });

  it('remembers for the longest clock skew that any instance has', () => {
    const { clock, store, claim } = setUp();
    store.retain(300_000);
    store.retain(1_000);
    const signedAt = clock.now;
    claim('a', signedAt);
    clock.now += 300_000;
    assert.equal(claim('a', signedAt), false);
  });

  it('refuses to answer rather than forget when a customer has taken what there is', () => {
    const { clock, claim } = setUp(9);
    for (const mark of ['a', 'b', 'c']) assert.equal(claim(mark, clock.now), true);
    assert.equal(claim('a', clock.now), false);
    assert.throws(() => claim('d', clock.now), ReplayStoreError);
    clock.now += 41_000;
    assert.equal(claim('d', clock.now), true);
  });

  it('has room for everybody although some use all that they can get', () => {
    const { clock, store, claim } = setUp(100_000);
    for (let customer = 0; customer < 8; customer += 1) {
      assert.throws(() => {
        for (let i = 0; ; i += 1) claim(`${customer} ${i}`, clock.now, `greedy ${customer}`);
      }, ReplayStoreError);
    }
    assert.ok(store.size < 97_000, `${store.size}`);
    for (let customer = 0; customer < 500; customer += 1)
      assert.equal(claim(`good ${customer}`, clock.now, `good ${customer}`), true);
  });

  it('does not take a used signature again because a larger clock skew would', () => {
    const { clock, store, claim } = setUp();
    const signedAt = clock.now;
    assert.equal(claim('a', signedAt), true);
    for (const later of [31_000, 41_000, 100_000, 290_000]) {
      clock.now = signedAt + later;
      store.retain(300_000);
      assert.equal(claim('a', signedAt), false, `${later} ms later`);
    }
    const young = setUp();
    young.store.retain(30_000);
    assert.equal(young.claim('a', young.clock.now), true);
    young.clock.now += 60_000;
    assert.equal(young.claim('b', young.clock.now), true, 'sweeps');
    young.store.retain(300_000);
    assert.equal(young.claim('a', young.clock.now - 60_000), false);
    assert.equal(young.claim('c', young.clock.now - 5_000), true, 'what cannot have been forgotten');
  });
});

describe('fingerprint', () => {
  it('tells signatures and customers apart and shows neither', () => {
    const marks = new Set([fingerprint('a', 'sig'), fingerprint('b', 'sig'), fingerprint('a', 'gis')]);
    assert.equal(marks.size, 3);
    for (const mark of marks) assert.match(mark, /^[\w-]{32}$/);
    assert.equal(fingerprint('a', 'sig'), fingerprint('a', 'sig'));
  });
});
