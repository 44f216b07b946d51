import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Plugin } from '../../../plugins/customer-verification/plugin.js';
import { fakeKong } from '../../../src/testing/index.js';
import { signed } from './rig.js';

describe('customer-verification on a gRPC route', () => {
  before(() => {
    // No database is needed to refuse.
    Object.assign(process.env, { KONG_TS_ENV_FILE: '/nonexistent', SERVER_DB_HOST: '' });
  });

  const answer = async (headers: Record<string, string>, httpVersion = '2.0') => {
    const plugin = new Plugin({ error_status: 503, clock_skew: 10 });
    const { client } = await fakeKong({
      request: { method: 'POST', headers: { 'content-type': 'application/grpc', ...headers }, httpVersion },
    }).run((kong) => plugin.access(kong));
    plugin.close();
    return client;
  };

  it('refuses with grpc-status and grpc-message', async () => {
    for (const [headers, status, grpcStatus, message] of [
      [{}, 400, '3', 'Invalid Headers'],
      [Object.fromEntries(signed('alice', 'k', '1')), 403, '7', 'Access Forbidden'],
      [Object.fromEntries(signed('alice', 'k', String(Date.now()))), 503, '14', 'Service Unavailable'],
    ] as const) {
      const client = await answer(headers);
      assert.equal(client.status, status);
      assert.equal(client.headers['grpc-status'], grpcStatus);
      assert.equal(client.headers['grpc-message'], message);
      assert.equal(client.headers['content-type'], undefined);
      assert.equal(String(client.body ?? ''), '');
    }
  });

  it('refuses with JSON over HTTP/1.1, as Kong does', async () => {
    const client = await answer({}, '1.1');
    assert.equal(client.headers['grpc-status'], undefined);
    assert.equal(String(client.body), '{"message":"Invalid Headers"}');
  });
});
