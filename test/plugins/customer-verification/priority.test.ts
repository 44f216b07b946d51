import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configuredPriority } from '../../../plugins/customer-verification/priority.js';

describe('configuredPriority', () => {
  it('is 9 unless the environment names another', () => {
    assert.equal(configuredPriority({}), 9);
    assert.equal(configuredPriority({ CUSTOMER_VERIFICATION_PRIORITY: '' }), 9);
    assert.equal(configuredPriority({ CUSTOMER_VERIFICATION_PRIORITY: '1001' }), 1001);
    for (const text of ['high', '1.5', '1e3']) {
      assert.throws(
        () => configuredPriority({ CUSTOMER_VERIFICATION_PRIORITY: text }),
        /CUSTOMER_VERIFICATION_PRIORITY/,
      );
    }
  });
});
