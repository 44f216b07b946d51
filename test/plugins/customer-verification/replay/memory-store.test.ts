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
    return { clock, store };
  }

  it('takes a signature once for as long as it is good, from 30 s before to 30 s after its time', () => {
    const { clock, store } = setUp();
    const signedAt = clock.now + 30_000;
    assert.equal(store.claim('a', signedAt), true);
    for (; clock.now <= signedAt + 30_000; clock.now += 500) assert.equal(store.claim('a', signedAt), false);
    assert.equal(store.claim('b', signedAt), true);
  });

  it('forgets signatures that nobody accepts any more', () => {
    const { clock, store } = setUp();
    for (let i = 0; i < 1000; i += 1) store.claim(`first ${i}`, clock.now);
    assert.equal(store.size, 1000);
    clock.now += 41_000;
    store.claim('later', clock.now);
    assert.equal(store.size, 1);
  });

  it('remembers for the longest clock skew that any instance has', () => {
    const { clock, store } = setUp();
    store.retain(300_000);
    store.retain(1_000);
    const signedAt = clock.now;
    store.claim('a', signedAt);
    clock.now += 300_000;
    assert.equal(store.claim('a', signedAt), false);
  });

  it('refuses to answer rather than forget when it is full', () => {
    const { clock, store } = setUp(2);
    assert.equal(store.claim('a', clock.now), true);
    assert.equal(store.claim('b', clock.now), true);
    assert.equal(store.claim('a', clock.now), false);
    assert.throws(() => store.claim('c', clock.now), ReplayStoreError);
    clock.now += 41_000;
    assert.equal(store.claim('c', clock.now), true);
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
