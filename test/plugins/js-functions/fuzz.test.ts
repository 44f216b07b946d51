import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Judge } from './refusing-judge.js';
import { clientBody, REFUSING_FUNCTIONS, refusingProgram } from './refusing-programs.js';

// `npm run fuzz:functions` goes on for longer.
const PROGRAMS = 120;
const BODIES = 150;

describe('a function that refuses every request', () => {
  it('refuses, whatever program stands before, around and inside the refusal', async (t) => {
    const judge = await Judge.start(t);
    await fc.assert(
      fc.asyncProperty(refusingProgram, (functions) => judge.refuses(functions)),
      {
        numRuns: PROGRAMS,
        endOnFailure: true,
      },
    );
    const { refused, failed, notStarted } = judge.counts;
    t.diagnostic(`${refused} refused, ${failed} failed, ${notStarted} not started`);
    // Most programs run into an error of their own; without these it would be shown for failures only.
    assert.ok(refused > PROGRAMS / 8, `only ${refused} programs came to their refusal`);
    assert.ok(notStarted < PROGRAMS / 3, `${notStarted} programs did not compile`);
  });

  it('refuses, whatever the client sends', async (t) => {
    const judge = await Judge.start(t);
    const source = fc.constantFrom(...REFUSING_FUNCTIONS);
    await fc.assert(
      fc.asyncProperty(source, clientBody, (code, body) => judge.refusesBody(code, body)),
      {
        numRuns: BODIES,
        endOnFailure: true,
      },
    );
    const { refused, failed } = judge.counts;
    t.diagnostic(`${refused} refused, ${failed} failed`);
    assert.ok(refused > BODIES / 4, `only ${refused} requests came to their refusal`);
  });
});
