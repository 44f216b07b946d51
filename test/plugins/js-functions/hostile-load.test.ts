import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { full } from '../../support/full.js';
import { HostileLoad } from './hostile-load.js';

/** How many hostile requests: 10,000 in the full form, which has the machine for itself. */
const REQUESTS = full ? 10_000 : 150;
const AT_ONCE = 8;
const GOOD_PER_SECOND = full ? 100 : 25;
const CALM_MS = full ? 10_000 : 1000;
/**
 * Hostile functions take every processor. What good requests wait for that alone is measured beside as many programs
 * that have nothing to do with this server: the middle request is not to wait for longer than with those, the slowest
 * of a hundred for so many times as long. Beside other tests it says nothing.
 */
const MOST_RATIO = full
  ? { p50: 1.5, p99: 5 }
  : { p50: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY };
const MOST_GROWTH_MB = full ? 32 : 300;

const load = new HostileLoad();
before(() => load.start());
after(() => load.stop());

describe(`${REQUESTS} hostile requests of mixed kinds through the gateway`, () => {
  it('take no time from customer-verification in the same process, no memory, and none is let through', async (t) => {
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    await load.good(GOOD_PER_SECOND, pause(CALM_MS / 4));
    const alone = await load.good(GOOD_PER_SECOND, pause(CALM_MS));
    const busy = await load.goodBesideBusy(GOOD_PER_SECOND, CALM_MS);
    // Every instance starts and every kind of failure happens once before memory is looked at.
    await load.hostile(REQUESTS / 5, AT_ONCE);
    const memory = load.memoryMb;
    const startedAt = performance.now();
    const beside = await load.good(GOOD_PER_SECOND, load.hostile((REQUESTS * 4) / 5, AT_ONCE));
    const seconds = (performance.now() - startedAt) / 1000;
    const grown = load.memoryMb - memory;
    const statuses = Object.fromEntries(load.statuses);
    t.diagnostic(
      `alone ${JSON.stringify(alone)}, beside busy programs ${JSON.stringify(busy)}, beside hostile functions ${JSON.stringify(beside)} in ${seconds.toFixed(0)} s`,
    );
    t.diagnostic(
      `hostile: ${JSON.stringify(statuses)}; memory ${memory.toFixed(0)} MB, ${grown.toFixed(0)} MB more`,
    );
    assert.deepEqual(load.broken, [], load.serverLog);
    assert.deepEqual([alone.refused, busy.refused, beside.refused], [0, 0, 0]);
    assert.deepEqual(Object.keys(statuses), ['403', '500']);
    assert.equal((statuses['403'] as number) + (statuses['500'] as number), REQUESTS);
    for (const at of ['p50', 'p99'] as const) {
      const most = busy[at] * MOST_RATIO[at];
      assert.ok(beside[at] <= most, `${at}: ${beside[at]} ms, ${busy[at]} ms beside busy programs`);
    }
    assert.ok(grown < MOST_GROWTH_MB, `${grown} MB more`);
  });
});
