import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PdkError } from '../../src/index.js';
import { fakeKong, type TestKitError } from '../../src/testing/index.js';

test('a handler reads what the test says of the request', async () => {
  const { calls } = await fakeKong({
    request: {
      method: 'PUT',
      path: '/orders/7?full&tag=a&tag=b',
      headers: { 'x-name': 'Zoë', 'x-many': ['1', '2'] },
      body: '{"a":1}',
    },
    client: { ip: '10.1.2.3', port: 4711 },
    route: { name: 'orders', paths: ['~/orders/(?<id>\\d+)'] },
    service: { name: 'shop', host: 'shop.internal', port: 8080, path: '/v2' },
  }).run(async (kong) => {
    assert.equal(await kong.request.getMethod(), 'PUT');
    assert.equal(await kong.request.getPath(), '/orders/7');
    assert.equal(await kong.request.getHeader('X-Name'), 'Zoë');
    assert.deepEqual((await kong.request.getHeaders())['x-many'], ['1', '2']);
    assert.deepEqual(await kong.request.getQuery(), { full: true, tag: ['a', 'b'] });
    assert.equal(String(await kong.request.getRawBody()), '{"a":1}');
    assert.deepEqual((await kong.request.getUriCaptures()).named, { id: '7' });
    assert.equal(await kong.client.getIp(), '10.1.2.3');
    assert.equal((await kong.router.getRoute())?.name, 'orders');
    assert.equal((await kong.router.getService())?.host, 'shop.internal');
  });
  assert.equal(calls[0]?.method, 'kong.request.get_method');
  assert.equal(calls[0]?.answer, 'PUT');
  assert.deepEqual(calls[2]?.args, ['X-Name']);
});

test('what the upstream and the client would get', async () => {
  const { exit, upstream, client, ctx, log } = await fakeKong({
    request: { path: '/a?b=c', headers: { 'x-old': '1' }, body: 'before' },
    service: { host: 'shop.internal', path: '/v2' },
    ctx: { seen: 1 },
  }).run(async (kong) => {
    kong.service.request.setHeader('X-New', 'Zoë');
    kong.service.request.clearHeader('x-old');
    kong.service.request.setRawBody('after');
    kong.service.request.setQuery({ d: 'e' });
    kong.response.setHeader('x-answer', '42');
    kong.ctx.shared.set('user', { name: 'jo' });
    kong.log.warn('look', 1);
  });
  assert.equal(exit, undefined);
  assert.equal(upstream?.path, '/v2/a?d=e');
  assert.equal(upstream?.headers['x-new'], 'Zoë');
  assert.equal(upstream?.headers['x-old'], undefined);
  assert.equal(upstream?.headers.host, 'shop.internal');
  assert.equal(upstream?.body, 'after');
  assert.equal(client.status, 200);
  assert.equal(client.headers['x-answer'], '42');
  assert.deepEqual(ctx, { seen: 1, user: { name: 'jo' } });
  assert.deepEqual(
    log.map(({ level, text }) => [level, text]),
    [['warn', 'look1']],
  );
});

test('an exit ends the handler, awaited or not, and is no error', async () => {
  let went = false;
  const { exit, upstream, client } = await fakeKong().run(async (kong) => {
    kong.response.exit(403, { message: 'no' }, { 'x-why': 'so' });
    went = true;
  });
  assert.equal(went, false);
  assert.equal(exit?.status, 403);
  assert.deepEqual(exit?.json(), { message: 'no' });
  assert.equal(exit?.headers['x-why'], 'so');
  assert.equal(upstream, undefined);
  assert.equal(client, exit);
});

test('kong.response.error answers in the format that the client accepts', async () => {
  const { exit } = await fakeKong({ request: { headers: { accept: 'application/json' } } }).run((kong) =>
    kong.response.error(404, 'nothing here'),
  );
  assert.equal(exit?.status, 404);
  assert.match(exit?.body ?? '', /^\{\s*"message":"nothing here"/);
});

test('a response is what a response handler sees and changes', async () => {
  const fake = fakeKong({ response: { status: 201, headers: { 'x-from': 'upstream' }, body: '{"a":1}' } });
  const { client, upstream } = await fake.run(async (kong) => {
    assert.equal(await kong.service.response.getStatus(), 201);
    assert.equal(String(await kong.service.response.getRawBody()), '{"a":1}');
    kong.response.setHeader('x-more', 'yes');
    kong.response.clearHeader('x-from');
  });
  assert.equal(client.status, 201);
  assert.equal(client.headers['x-more'], 'yes');
  assert.equal(client.headers['x-from'], undefined);
  assert.equal(client.body, '{"a":1}');
  assert.equal(upstream, undefined);
});

test('the log phase sees the response and the serialized request', async () => {
  await fakeKong({ phase: 'log', response: { status: 502 } }).run(async (kong) => {
    assert.equal(await kong.response.getStatus(), 502);
    const text = (await kong.log.serialize()) as string;
    assert.equal(JSON.parse(text).response.status, 502);
  });
});

test('consumers are found and authenticated', async () => {
  const { consumer, credential } = await fakeKong({
    consumers: [{ username: 'jo', custom_id: 'c-1' }],
    credential: { id: 'key-1' },
  }).run(async (kong) => {
    assert.equal((await kong.client.getCredential())?.id, 'key-1');
    assert.equal(await kong.client.getConsumer(), undefined);
    const found = await kong.client.loadConsumer('jo', true);
    assert.equal(found?.custom_id, 'c-1');
    await kong.client.authenticate(found ?? null, { id: 'key-2' });
  });
  assert.equal((consumer as { username: string }).username, 'jo');
  assert.equal((credential as { id: string }).id, 'key-2');
});

test('a function in the wrong phase fails as in Kong, whether or not anybody waits for it', async () => {
  await assert.rejects(
    fakeKong().run((kong) => kong.response.getStatus()),
    (error: PdkError) =>
      error.code === 'PDK_WRONG_PHASE' && /cannot be called in access, only in/.test(error.message),
  );
  await assert.rejects(
    fakeKong({ phase: 'log' }).run((kong) => {
      kong.service.request.setHeader('a', 'b');
    }),
    /kong\.service\.request\.set_header: cannot be called in log, only in rewrite, access/,
  );
});

test('a refusal that the handler swallows is one all the same', async () => {
  await assert.rejects(
    fakeKong().run(async (kong) => {
      await kong.response.getStatus().catch(() => undefined);
    }),
    /cannot be called in access, only in/,
  );
});

test('a function that the protocol does not carry says so', async () => {
  await assert.rejects(
    fakeKong().run((kong) => kong.service.setTimeouts(1, 2, 3)),
    (error: PdkError) => error.code === 'PDK_UNSUPPORTED',
  );
});

test('arguments are checked as the protocol checks them', async () => {
  await assert.rejects(
    fakeKong().run((kong) => kong.response.setStatus(1.5)),
    (error: PdkError) => error.code === 'PDK_BAD_ARGUMENT',
  );
});

test('what else a handler throws is thrown', async () => {
  await assert.rejects(
    fakeKong().run(() => {
      throw new RangeError('mine');
    }),
    RangeError,
  );
});

test('the kong object may be used without run', async () => {
  const fake = fakeKong();
  await fake.kong.service.request.setHeader('x-one', '1');
  assert.equal(fake.outcome().upstream?.headers['x-one'], '1');
  await assert.rejects(async () => fake.kong.request.getMethod(), /the event is over/);
});

test('answers that nobody awaits still count', async () => {
  const { exit } = await fakeKong().run((kong) => {
    void kong.request
      .getMethod()
      .then(
        () => kong.response.exit(418),
        () => undefined,
      )
      .catch(() => undefined);
  });
  assert.equal(exit?.status, 418);
});

test('options that cannot be are named', () => {
  assert.throws(
    () => fakeKong({ service: { prt: 1 } }),
    (error: TestKitError) => error.code === 'TEST_CONFIG' && /prt/.test(error.message),
  );
  assert.throws(() => fakeKong({ route: { paths: ['/other'] } }), /does not take GET \//);
});
