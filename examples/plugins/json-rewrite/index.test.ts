import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKong, startTestGateway } from 'kong-ts-pluginserver/testing';
import * as jsonRewrite from './index.js';

const plugin = new jsonRewrite.Plugin({ remove: ['secret'], add: { via: 'kong' } });

test('a JSON object is rewritten', async () => {
  const { client } = await fakeKong({
    response: {
      status: 201,
      headers: { 'content-type': 'application/json', etag: 'x' },
      body: '{"a":1,"secret":2}',
    },
  }).run((kong) => plugin.response(kong));
  assert.equal(client.status, 201);
  assert.deepEqual(client.json(), { a: 1, via: 'kong' });
  assert.equal(client.headers.etag, 'x');
});

test('anything else goes through as it is', async () => {
  for (const [type, body] of [
    ['text/plain', '{"secret":1}'],
    ['application/json', '[1]'],
    ['application/json', 'not JSON'],
  ]) {
    const response = { headers: { 'content-type': type as string }, body: body as string };
    const { client, exit } = await fakeKong({ response }).run((kong) => plugin.response(kong));
    assert.equal(exit, undefined);
    assert.equal(client.body, body);
  }
});

test('through the gateway', async () => {
  await using gateway = await startTestGateway({
    plugins: { 'json-rewrite': jsonRewrite },
    routes: [{ paths: ['/'], plugins: [{ name: 'json-rewrite', config: { add: { via: 'kong' } } }] }],
    upstream: () => ({ headers: { 'x-one': '1' }, json: { a: 'ä' } }),
  });
  const { headers, body } = await gateway.request('/');
  assert.equal(body, '{"a":"ä","via":"kong"}');
  assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
  assert.equal(headers['x-one'], '1');
});
