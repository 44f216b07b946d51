import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCustomer } from '../../../../plugins/customer-verification/keys/customer.js';

const uuid = '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346';
const always = { notBefore: -Infinity, notAfter: Infinity };

describe('parseCustomer', () => {
  it('reads client_key, from jsonb and from text', () => {
    const expected = { uuid, keys: [{ key: 'k', ...always }], revoked: false };
    assert.deepEqual(parseCustomer(uuid, { client_key: 'k', other: 1 }), expected);
    assert.deepEqual(parseCustomer(uuid, '{"client_key": "k"}'), expected);
  });

  it('reads numbers as the seed does, which formats them into the text', () => {
    assert.deepEqual(parseCustomer(42, { client_key: 7 }), {
      uuid: '42',
      keys: [{ key: '7', ...always }],
      revoked: false,
    });
  });

  it('reads client_keys beside client_key and instead of it', () => {
    const client_keys = [
      { key: 'old', not_after: '2026-11-23T10:00:00Z' },
      { key: 'new', not_before: 1_700_000_000, not_after: null },
    ];
    const keys = [
      { key: 'old', notBefore: -Infinity, notAfter: Date.UTC(2026, 10, 23, 10) },
      { key: 'new', notBefore: 1_700_000_000_000, notAfter: Infinity },
    ];
    assert.deepEqual(parseCustomer(uuid, { client_keys }).keys, keys);
    assert.deepEqual(parseCustomer(uuid, { client_key: null, client_keys }).keys, keys);
    assert.deepEqual(parseCustomer(uuid, { client_key: 'first', client_keys }).keys, [
      { key: 'first', ...always },
      ...keys,
    ]);
  });

  it('reads revoked, with or without keys', () => {
    assert.equal(parseCustomer(uuid, { client_key: 'k', revoked: true }).revoked, true);
    assert.equal(parseCustomer(uuid, { revoked: true }).revoked, true);
    assert.equal(parseCustomer(uuid, { client_key: 'k', revoked: null }).revoked, false);
  });

  const malformed: [string, unknown, unknown, RegExp][] = [
    ['no authentication', uuid, null, /not a JSON object/],
    ['a list', uuid, [], /not a JSON object/],
    ['text that is no JSON', uuid, '{client_key', /not JSON/],
    ['JSON that is no object', uuid, '"k"', /not a JSON object/],
    ['no key', uuid, {}, /neither/],
    ['an empty list of keys', uuid, { client_keys: [] }, /neither/],
    ['an empty key', uuid, { client_key: '' }, /client_key is not/],
    ['a key that is no text', uuid, { client_key: { secret: 'hush' } }, /client_key is not/],
    ['a key that is true', uuid, { client_key: true }, /client_key is not/],
    ['client_keys that is no list', uuid, { client_keys: { key: 'hush' } }, /client_keys is not a list/],
    ['an item that is no object', uuid, { client_keys: ['hush'] }, /client_keys\[0\] is not/],
    ['an item without a key', uuid, { client_keys: [{ key: 'hush' }, {}] }, /client_keys\[1\]\.key/],
    [
      'a time that is none',
      uuid,
      { client_keys: [{ key: 'hush', not_after: 'soon' }] },
      /client_keys\[0\]\.not_after/,
    ],
    ['revoked that is no boolean', uuid, { client_key: 'hush', revoked: 'false' }, /revoked/],
    ['no uuid', null, { client_key: 'hush' }, /uuid/],
    ['a uuid that no header can hold', 'a\r\nb', { client_key: 'hush' }, /uuid/],
    ['an empty uuid', '', { client_key: 'hush' }, /uuid/],
  ];
  for (const [what, id, authentication, message] of malformed) {
    it(`refuses ${what}, and quotes none of it`, () => {
      assert.throws(
        () => parseCustomer(id, authentication),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ERR_MALFORMED_CUSTOMER');
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hush|soon/);
          return true;
        },
      );
    });
  }
});
