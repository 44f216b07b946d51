import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Run } from '../../../../plugins/js-functions/sandbox/thread/run.js';

const LIMIT_MS = 20;

describe('the time that is charged to a run', () => {
  it('is not what the system gave to somebody else', () => {
    const run = new Run(1);
    run.charge(300, undefined, LIMIT_MS);
    assert.deepEqual([run.processorMs <= LIMIT_MS, run.suspect], [true, true]);
    // From then on the processor's own account counts.
    for (let i = 0; i < 100; i++) run.charge(5, 0.1, LIMIT_MS);
    assert.ok(run.processorMs <= LIMIT_MS);
    run.charge(1, 10, LIMIT_MS);
    assert.ok(run.processorMs > LIMIT_MS);
  });

  it('is the clock for as long as little has come together', () => {
    const run = new Run(1);
    for (let i = 0; i < 5; i++) run.charge(1, undefined, LIMIT_MS);
    assert.equal(run.suspect, false);
    run.charge(1, undefined, LIMIT_MS);
    assert.equal(run.suspect, true);
  });
});
