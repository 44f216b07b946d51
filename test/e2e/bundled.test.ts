import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import * as customerVerification from '../../plugins/customer-verification/index.js';
import * as hello from '../../plugins/hello/index.js';
import * as jsPreFunction from '../../plugins/js-pre-function.js';
import * as jsResponseFunction from '../../plugins/js-response-function.js';
import type { Postgres } from '../../src/dev/postgres.js';
import { startTestGateway, type TestGateway } from '../../src/testing/index.js';
import { signed } from '../plugins/customer-verification/rig.js';
import { startPostgres } from '../support/postgres.js';

const ROOT = join(import.meta.dirname, '../..');
const CUSTOMER = '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346';

// Everything of the bundled plugins that shows at the gateway, through the test kit that their users have, too.

for (const protocol of ['protobuf', 'msgpack'] as const) {
  describe(`customer-verification with the shipped kong.yml, over ${protocol}`, () => {
    let postgres: Postgres;
    let gateway: TestGateway;

    before(async () => {
      postgres = await startPostgres();
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      await client.query('insert into customer (uuid, certificate, authentication) values ($1, $2, $3)', [
        CUSTOMER,
        'demo-certificate',
        { client_key: 'demo-key' },
      ]);
      await client.end();
      gateway = await startTestGateway({
        plugins: { 'customer-verification': customerVerification },
        config: join(ROOT, 'kong.yml'),
        env: postgres.env,
        protocol,
      });
    });
    after(async () => {
      await gateway?.close();
      await postgres?.dispose();
    });

    it('tells the upstream who it is, once, whatever the client says', async () => {
      const { status, upstream, events } = await gateway.request('/orders', {
        headers: [...signed('demo-certificate', 'demo-key'), ['X-Customer-Id', 'somebody else']],
      });
      assert.equal(status, 200);
      assert.equal(upstream?.headers['x-customer-id'], CUSTOMER);
      const [run] = events;
      assert.deepEqual(
        [run?.plugin, run?.phase, run?.outcome],
        ['customer-verification', 'access', 'changed'],
      );
      assert.ok(
        run?.calls.some(
          ({ method, args }) => method === 'kong.ctx.shared.set' && args[0] === 'customer_verified',
        ),
      );
    });

    it('refuses a forged signature, and the guard has nothing to do', async () => {
      const { status, upstream, events } = await gateway.request('/', {
        headers: signed('demo-certificate', 'guessed'),
      });
      assert.equal(status, 403);
      assert.equal(upstream, undefined);
      assert.deepEqual(
        events.map(({ plugin, outcome }) => [plugin, outcome]),
        [['customer-verification', 'exited']],
      );
    });

    it('refuses missing, empty and repeated headers', async () => {
      const [first, ...others] = signed('demo-certificate', 'demo-key');
      const [name, value] = first as [string, string];
      const variants: [string, string][][] = [
        others,
        [[name, ''], ...others],
        [[name, value], [name, value], ...others],
      ];
      for (const headers of variants) {
        const { status, upstream } = await gateway.request('/', { headers });
        assert.equal(status, 400, JSON.stringify(headers));
        assert.equal(upstream, undefined);
      }
    });
  });
}

describe('hello', () => {
  it('greets in a response header', async () => {
    await using gateway = await startTestGateway({
      plugins: { hello },
      routes: [{ paths: ['/'], plugins: [{ name: 'hello', config: { message: 'hej' } }] }],
    });
    const { headers } = await gateway.request('/', { headers: { host: 'greeted.test' } });
    assert.equal(headers['x-hello'], 'hej, greeted.test');
  });
});

describe('functions from the configuration', () => {
  const functions = { 'js-pre-function': jsPreFunction, 'js-response-function': jsResponseFunction };

  it('change the request', async () => {
    await using gateway = await startTestGateway({
      plugins: functions,
      config: join(ROOT, 'examples/functions/header-transform.yml'),
    });
    const { upstream, events } = await gateway.request('/header-transform?lang=de', {
      headers: { 'x-old-key': 'abc' },
    });
    assert.equal(upstream?.headers['x-new-key'], 'ABC');
    assert.equal(upstream?.headers['x-old-key'], undefined);
    assert.equal(upstream?.headers['accept-language'], 'de');
    assert.equal(events[0]?.outcome, 'changed');
  });

  it('change the response', async () => {
    await using gateway = await startTestGateway({
      plugins: functions,
      config: join(ROOT, 'examples/functions/body-rewrite.yml'),
      upstream: () => ({ json: { headers: {}, kept: 1 } }),
    });
    const { status, body } = await gateway.request('/body-rewrite');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body), { kept: 1, rewritten: true });
  });

  it('that throw are a 500 whose reason stands in the log', async () => {
    await using gateway = await startTestGateway({
      plugins: functions,
      routes: [{ paths: ['/'], plugins: [{ name: 'js-pre-function', config: { access: ['null.x'] } }] }],
    });
    const { status, upstream, log } = await gateway.request('/');
    assert.equal(status, 500);
    assert.equal(upstream, undefined);
    assert.ok(log.some(({ level, text }) => level === 'error' && /access\[0\]/.test(text)));
  });
});
