import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMIT_SETTINGS, resolveLimits } from '../../../../plugins/js-functions/sandbox/limits.js';

describe('resolveLimits', () => {
  it('takes the defaults that the documentation names', () => {
    assert.deepEqual(resolveLimits({}, {}), {
      cpuMs: 20,
      memoryBytes: 16 * 1024 * 1024,
      stackBytes: 128 * 1024,
      wallMs: 1000,
      pdkCalls: 100,
      outputBytes: 1024 * 1024,
    });
  });

  for (const [key, { field, variable, bound, least, most, unit }] of Object.entries(LIMIT_SETTINGS)) {
    const limit = (given: unknown, allowed?: string) =>
      resolveLimits({ [field]: given }, allowed === undefined ? {} : { [variable]: allowed })[
        key as keyof typeof LIMIT_SETTINGS
      ];

    it(`${field} goes up to the bound and no further`, () => {
      assert.equal(limit(bound), bound * unit);
      assert.throws(() => limit(bound + 1), new RegExp(`config\\.${field} is ${bound + 1}.*${variable}`));
      assert.equal(limit(most, String(most)), most * unit);
      assert.throws(() => limit(least + 1, String(least)), /above the operator's bound/);
      assert.equal(limit(null, String(least)), least * unit, 'a default is never above the bound');
    });

    it(`${field} and ${variable} must be integers in range`, () => {
      for (const wrong of [least - 1, 1.5, '7', true, Number.NaN]) {
        assert.throws(() => limit(wrong), new RegExp(`config\\.${field} must be an integer`), String(wrong));
      }
      for (const wrong of ['none', '-1', '1.5', String(most + 1)]) {
        assert.throws(() => limit(undefined, wrong), new RegExp(`${variable} must be an integer`), wrong);
      }
    });
  }
});
