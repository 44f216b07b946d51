'use strict';

// The plugin that every server of the benchmark runs, in the spelling of the stock JavaScript server. It does what
// customer-verification does, the mark for the guard included, with the keys in memory: the benchmark is about servers, not about databases.

const { createHash, timingSafeEqual } = require('node:crypto');

const CUSTOMERS = 1000;
const customers = new Map();
for (let i = 0; i < CUSTOMERS; i++) {
  const key = createHash('sha256').update(`bench-key-${i}`).digest('hex');
  customers.set(`customer-${i}`, { key, uuid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` });
}

/** The stock server hands every header out as a list. */
function single(value) {
  return Array.isArray(value) ? value[0] : value;
}

class BenchVerify {
  constructor(config) {
    this.config = config;
  }

  /** Tells the driver which process took the event. */
  async rewrite(kong) {
    await kong.service.request.setHeader('x-worker', String(process.pid));
  }

  async access(kong) {
    const headers = await kong.request.getHeaders(100);
    const id = single(headers['client-certificate-id']);
    const time = single(headers['client-request-time']);
    const signature = single(headers['client-request-signature']);
    const customer = customers.get(id);
    if (customer !== undefined && signature?.length === 64) {
      const expected = createHash('sha256').update(`${id}|${customer.key}|${time}`).digest('hex');
      if (timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) {
        await kong.service.request.setHeader('x-customer-id', customer.uuid);
        await kong.ctx.shared.set('customer_verified', customer.uuid);
        return;
      }
    }
    return kong.response.exit(403, 'Access Forbidden');
  }
}

module.exports = {
  Plugin: BenchVerify,
  Schema: [{ message: { type: 'string' } }],
  Version: '1.0.0',
  Priority: 9,
};
