import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { equalInConstantTime, expectedSignature } from '../../../plugins/customer-verification/signature.js';

const { vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/signatures.json'), 'utf8'),
);

describe('expectedSignature', () => {
  // The vectors that bind the body give it as text; its digest is covered by the end-to-end tests and the client's.
  for (const vector of vectors.filter(({ bind }: { bind: string[] }) => !bind.includes('body'))) {
    it(`agrees with the vector: ${vector.name}`, () => {
      const { certificateId, time, key, algorithm, bind, request, signature } = vector;
      assert.equal(expectedSignature({ certificateId, time, ...request }, key, algorithm, bind), signature);
    });
  }
});

describe('equalInConstantTime', () => {
  it('compares every character', () => {
    assert.equal(equalInConstantTime('00ff', '00ff'), true);
    for (const other of ['00fF', '00f', '00ff0', '', '10ff', '\u01300ff'])
      assert.equal(equalInConstantTime('00ff', other), false);
  });
});
