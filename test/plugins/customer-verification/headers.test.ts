import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_HEADER_NAMES } from '../../../plugins/customer-verification/client/header-names.js';
import { readCredentials } from '../../../plugins/customer-verification/headers.js';

const good = { 'client-certificate-id': 'id', 'client-request-signature': 'sig', 'client-request-time': '1' };
const read = (headers: Record<string, string | string[]>) => readCredentials(headers, DEFAULT_HEADER_NAMES);

describe('readCredentials', () => {
  it('reads the three headers', () => {
    assert.deepEqual(read({ ...good, host: 'a' }), { certificateId: 'id', signature: 'sig', time: '1' });
  });

  it('takes an array of one, which is how servers that speak MsgPack give a single header', () => {
    assert.ok(read({ ...good, 'client-request-time': ['1'] }));
  });

  for (const name of Object.keys(good) as (keyof typeof good)[]) {
    it(`wants ${name} once and not empty`, () => {
      const { [name]: _, ...absent } = good;
      assert.equal(read(absent), undefined);
      for (const value of ['', [], [''], ['1', '1'], ['1', ''], ['', '1']]) {
        assert.equal(read({ ...good, [name]: value }), undefined, JSON.stringify(value));
      }
      assert.equal(read({ ...absent, [name.replaceAll('-', '_')]: '1' }), undefined);
    });
  }

  it('reads configured names, and none from the prototype', () => {
    const names = { certificateId: 'x-id', signature: 'x-sig', time: 'x-time' };
    const headers = { 'x-id': 'a', 'x-sig': 'b', 'x-time': 'c', ...good };
    assert.deepEqual(readCredentials(headers, names), { certificateId: 'a', signature: 'b', time: 'c' });
    const odd = { certificateId: 'constructor', signature: 'x-sig', time: 'x-time' };
    assert.equal(readCredentials(headers, odd), undefined);
  });
});
