import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestGateway, type TestKitError } from 'kong-ts-pluginserver/testing';
import * as headerRules from './index.js';

function start(config: object) {
  return startTestGateway({
    plugins: { 'header-rules': headerRules },
    routes: [{ paths: ['/'], plugins: [{ name: 'header-rules', config }] }],
  });
}

test('headers are set and removed', async () => {
  await using gateway = await start({ set: { 'X-Via': 'kong' }, remove: ['x-internal'], token: 't' });
  const { upstream } = await gateway.request('/?tenant=acme', {
    headers: { 'x-internal': '1', 'x-other': '2' },
  });
  assert.equal(upstream?.headers['x-via'], 'kong');
  assert.equal(upstream?.headers['x-internal'], undefined);
  assert.equal(upstream?.headers['x-other'], '2');
  assert.equal(upstream?.headers['x-tenant'], 'acme');
  assert.equal(upstream?.headers.authorization, 'Bearer t');
});

test('rules apply when their header is there, or has one of the values', async () => {
  await using gateway = await start({
    rules: [
      { header: 'X-A', value: '1', when: { header: 'x-debug' } },
      { header: 'X-B', value: '1', when: { header: 'x-debug', equals: ['yes'] } },
    ],
  });
  const seen = async (headers: Record<string, string>) => {
    const { upstream } = await gateway.request('/', { headers });
    return [upstream?.headers['x-a'], upstream?.headers['x-b']];
  };
  assert.deepEqual(await seen({}), [undefined, undefined]);
  assert.deepEqual(await seen({ 'x-debug': 'no' }), ['1', undefined]);
  assert.deepEqual(await seen({ 'x-debug': 'yes' }), ['1', '1']);
});

test('a header that the client sent is kept where that is wanted', async () => {
  await using gateway = await start({ set: { 'X-Via': 'kong' }, on_conflict: 'keep' });
  assert.equal((await gateway.request('/', { headers: { 'x-via': 'me' } })).upstream?.headers['x-via'], 'me');
});

test('a configuration that Kong would refuse is refused, with the place', async () => {
  for (const [config, message] of [
    [{ on_conflict: 'ask' }, /on_conflict.*expected one of/],
    [{ rules: [{ header: 'x' }] }, /rules\[?.*value.*required/],
    [{ max_rules: 0 }, /max_rules.*between 1 and 100/],
  ] as const) {
    await assert.rejects(start(config), (error: TestKitError) => message.test(error.message));
  }
});

test('what the schema cannot say is found', () => {
  const faults = headerRules.validate({
    enabled: true,
    max_rules: 20,
    share: 1,
    on_conflict: 'replace',
    tenant_argument: 'tenant',
    remove: [],
    set: {},
    rules: [{ header: 'a', value: 'b', when: { equals: ['c'] } }],
  });
  assert.deepEqual(faults[0]?.path, ['rules', 0, 'when', 'equals']);
});
