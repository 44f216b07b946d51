import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CONSUMER_HEADERS,
  CUSTOMER_HEADER,
  IdentityHeaders,
  MAX_HEADERS,
} from '../../../plugins/customer-verification/identity-headers.js';

const customer = new IdentityHeaders([CUSTOMER_HEADER]);
const consumer = new IdentityHeaders([CUSTOMER_HEADER, ...CONSUMER_HEADERS]);

describe('IdentityHeaders', () => {
  it('finds what an upstream could take for X-Customer-Id', () => {
    const headers = { x_customer_id: 'a', 'x-customer_id': 'b', 'x-customer-id': 'c', 'x-customer-ids': 'd' };
    assert.deepEqual(customer.survey(headers).sent, ['x_customer_id', 'x-customer_id']);
    assert.deepEqual(customer.survey({ host: 'a', 'x-consumer-id': 'b' }).sent, []);
  });

  it('finds every header of a consumer, in every spelling', () => {
    for (const name of CONSUMER_HEADERS) {
      for (const spelling of [name, name.replaceAll('-', '_'), name.replace('-', '_'), name.toUpperCase()])
        assert.deepEqual(consumer.survey({ host: 'a', [spelling]: 'x' }).sent, [spelling]);
    }
  });

  it('finds an identity header that Connection names', () => {
    const naming = [
      'x-customer-id',
      'X-Customer-Id',
      'keep-alive, X-CUSTOMER-ID',
      'close,x-customer-id,te',
      'Upgrade,\tx-customer-id ',
      'x_customer_id',
      ', ,x-customer-id,',
      ['keep-alive', 'x-customer-id'],
      ['upgrade', 'te, X-Customer-Id'],
    ];
    for (const connection of naming) {
      assert.equal(customer.survey({ connection }).dropped, true, String(connection));
      assert.equal(consumer.survey({ connection }).dropped, true, String(connection));
    }
    for (const name of CONSUMER_HEADERS) {
      assert.equal(consumer.survey({ connection: `te, ${name}` }).dropped, true);
      assert.equal(customer.survey({ connection: `te, ${name}` }).dropped, false);
    }
    for (const connection of [
      'keep-alive',
      'Upgrade',
      'close, TE',
      'x-customer',
      ['keep-alive', 'upgrade'],
      '',
    ])
      assert.equal(consumer.survey({ connection }).dropped, false, String(connection));
  });

  it('tells when there may be more headers than Kong hands out', () => {
    const copies = (count: number) => ({ host: 'a', 'x-many': Array.from({ length: count }, String) });
    assert.equal(customer.survey(copies(MAX_HEADERS - 2)).complete, true);
    assert.equal(customer.survey(copies(MAX_HEADERS - 1)).complete, false);
    const many = Object.fromEntries(Array.from({ length: MAX_HEADERS }, (_, i) => [`h${i}`, '']));
    assert.equal(customer.survey(many).complete, false);
  });
});
