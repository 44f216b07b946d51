import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Run } from '../../../../plugins/js-functions/sandbox/run.js';

const LIMIT_MS = 20;
const WALL_MS = 1000;

function newRun(): Run {
  const run = new Run(1, {}, WALL_MS, assert.fail, () => {});
  run.end({ kind: 'done' });
  return run;
}

describe('the time that is charged to a run', () => {
  it('is not what the system gave to somebody else', () => {
    const run = newRun();
    run.charge(300, undefined, LIMIT_MS);
    assert.deepEqual([run.isOver(LIMIT_MS, WALL_MS), run.suspect], [false, true]);
    // From then on the processor's own account counts.
    for (let i = 0; i < 100; i++) run.charge(5, 0.1, LIMIT_MS);
    assert.equal(run.isOver(LIMIT_MS, WALL_MS), false);
    run.charge(1, 10, LIMIT_MS);
    assert.equal(run.isOver(LIMIT_MS, WALL_MS), true);
  });

  it('is the clock for as long as little has come together', () => {
    const run = newRun();
    for (let i = 0; i < 5; i++) run.charge(1, undefined, LIMIT_MS);
    assert.equal(run.suspect, false);
    run.charge(1, undefined, LIMIT_MS);
    assert.equal(run.suspect, true);
  });

  it('ends with the wall time, whatever the processor says', () => {
    const run = newRun();
    run.charge(WALL_MS + 1, 0, LIMIT_MS);
    assert.equal(run.isOver(LIMIT_MS, WALL_MS), true);
  });
});
