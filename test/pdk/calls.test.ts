import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PdkError } from '../../src/pdk/errors.js';
import { PDK_METHODS, snakeCase } from '../../src/pdk/methods.js';
import type { Kong } from '../../src/pdk/types.js';
import type { Answers, EventResult } from '../support/kong-peer.js';
import type { MsgpackEventResult, StepData } from '../support/kong-peer-msgpack.js';
import { serving } from '../support/serving.js';

type Act = (kong: Kong) => unknown;

/** Runs a handler for one event of a plugin. */
async function overProtobuf(t: TestContext, act: Act, answers: Answers = {}): Promise<EventResult> {
  class Handler {
    access(kong: Kong) {
      return act(kong);
    }
  }
  const peer = (await serving(t, { plugin: Handler })).peer();
  return peer.event((await peer.start('plugin')) as number, 'access', answers);
}

async function overMsgpack(t: TestContext, act: Act, data: StepData = {}): Promise<MsgpackEventResult> {
  class Handler {
    access(kong: Kong) {
      return act(kong);
    }
  }
  const peer = (await serving(t, { plugin: Handler })).msgpackPeer();
  return peer.event(await peer.start('plugin'), 'access', data);
}

/** The member that a path leads to. */
function memberAt(kong: Kong, path: readonly string[]): unknown {
  return path.reduce<unknown>((owner, name) => (owner as Record<string, unknown>)[name], kong);
}

/** What the call throws or rejects with. */
async function refusal(call: () => unknown): Promise<PdkError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof PdkError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('every function is there under both of its names', async (t) => {
  const absent: string[] = [];
  await overProtobuf(t, (kong) => {
    for (const { path } of PDK_METHODS) {
      for (const spelling of [path, path.map(snakeCase)]) {
        if (typeof memberAt(kong, spelling) !== 'function') absent.push(spelling.join('.'));
      }
    }
  });
  assert.deepEqual(absent, []);
});

test('the names of a plugin that mixes both spellings reach Kong', async (t) => {
  const { calls, end } = await overProtobuf(
    t,
    async (kong) => {
      const { request, service } = kong as unknown as Record<string, Record<string, never>>;
      const { get_header } = request as unknown as Record<string, (name: string) => Promise<string>>;
      const token = await get_header?.call(request, 'x-token');
      const inner = service?.request as unknown as Record<string, (...args: unknown[]) => Promise<null>>;
      await inner.add_header?.('x-user', token);
    },
    { 'kong.request.get_header': { v: 'a' } },
  );
  assert.equal(end, 'returned');
  assert.deepEqual(
    calls.map(({ method, args }) => [method, args]),
    [
      ['kong.request.get_header', { v: 'x-token' }],
      ['kong.service.request.add_header', { k: 'x-user', v: 'a' }],
    ],
  );
});

test('over MsgPack:1 any name reaches Kong, with its arguments; over ProtoBuf:1 it is an error that says so', async (t) => {
  const made = async (kong: Kong) => {
    const loose = kong as unknown as Record<string, Record<string, Record<string, Act & { further: Act }>>>;
    return loose.tracing?.activeSpan?.setAttribute?.({ a: [1, null] } as never);
  };
  let answer: unknown;
  const { calls, end } = await overMsgpack(
    t,
    async (kong) => {
      answer = await made(kong);
    },
    { 'kong.tracing.active_span.set_attribute': { ok: true } },
  );
  assert.deepEqual([answer, end], [{ ok: true }, 'returned']);
  assert.deepEqual(calls, [{ Method: 'kong.tracing.active_span.set_attribute', Args: [{ a: [1] }] }]);

  let refused: PdkError | undefined;
  await overProtobuf(t, async (kong) => {
    refused = await refusal(() => made(kong));
  });
  assert.deepEqual(
    [refused?.code, refused?.method],
    ['PDK_UNSUPPORTED', 'kong.tracing.active_span.set_attribute'],
  );
  assert.match(refused?.message ?? '', /--protocol msgpack/);
});

test('a kong object is no promise, is not JSON and can be looked at', async (t) => {
  const { calls } = await overProtobuf(t, async (kong) => {
    const same = await Promise.resolve(kong);
    assert.equal(typeof (await same.request).getHost, 'function');
    assert.equal(String(kong.request), '[object Object]');
    JSON.stringify(kong);
  });
  assert.deepEqual(calls, []);
});

test('kong.log is a function, and so is what it holds', async (t) => {
  const act = async (kong: Kong) => {
    await kong.log('a', 1);
    await kong.log.inspect({ a: [1] }, 'b');
    await kong.log.inspect.off();
    await kong.log.inspect('unseen');
    await kong.log.inspect.on();
    await kong.log.inspect('seen');
    await kong.log.deprecation('old', { after: '1.0', removal: '2.0' });
    await kong.log.err(null, false, 'text');
  };
  const { calls } = await overProtobuf(t, act);
  assert.deepEqual(
    calls.map(({ method, args }) => [method, args]),
    [
      ['kong.log.notice', ['a', 1]],
      ['kong.log.notice', ["{ a: [ 1 ] } 'b'"]],
      ['kong.log.notice', ["'seen'"]],
      ['kong.log.warn', ['old', ' (deprecated after 1.0, scheduled for removal in 2.0)']],
      ['kong.log.err', ['null', 'false', 'text']],
    ],
  );
  const msgpack = await overMsgpack(t, act);
  assert.deepEqual(
    msgpack.calls.map(({ Method }) => Method),
    [
      'kong.log',
      'kong.log.inspect',
      'kong.log.inspect.off',
      'kong.log.inspect',
      'kong.log.inspect.on',
      'kong.log.inspect',
      'kong.log.deprecation',
      'kong.log.err',
    ],
  );
  assert.deepEqual(msgpack.calls[1]?.Args, [{ a: [1] }, 'b']);
});

test('null and undefined inside objects and lists are left out, over both protocols', async (t) => {
  const act = async (kong: Kong) => {
    kong.service.request.setHeaders({ a: '1', gone: null, list: ['x', null, 'y'] });
    kong.service.request.setHeader('h', [null, 'z']);
    kong.service.request.setQuery({ a: '1', gone: undefined, list: [null, '2', false], bare: true });
    kong.ctx.shared.set('user', {
      name: 'me',
      admin: null,
      list: [1, null, { deep: undefined }],
      at: new Date(0),
    });
    kong.ctx.shared.set('map', new Map([['k', new Set([1, null])]]));
    kong.ctx.shared.set('none', null);
    kong.log.setSerializeValue('x', null);
    kong.response.exit(200, 'b', { 'x-none': null, 'x-some': 's' });
  };
  const user = { name: 'me', list: [1, {}], at: '1970-01-01T00:00:00.000Z' };
  const { calls } = await overProtobuf(t, act);
  assert.deepEqual(
    calls.map(({ args }) => args),
    [
      { a: '1', list: ['x', 'y'] },
      { k: 'h', v: ['z'] },
      { a: '1', list: ['2'], bare: true },
      { k: 'user', v: user },
      { k: 'map', v: { k: [1] } },
      { k: 'none' },
      { k: 'x' },
      { status: 200, body: Buffer.from('b'), headers: { 'x-some': 's' } },
    ],
  );
  const msgpack = await overMsgpack(t, act);
  assert.deepEqual(
    msgpack.calls.map(({ Args }) => Args),
    [
      [{ a: '1', list: ['x', 'y'] }],
      ['h', ['z']],
      [{ a: '1', list: ['2'], bare: true }],
      ['user', user],
      ['map', { k: [1] }],
      ['none', null],
      ['x', null],
      [200, 'b', { 'x-some': 's' }],
    ],
  );
});

test('an argument that means nothing to Kong is an error at the call, over both protocols', async (t) => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const calls: [wrong: RegExp, call: (kong: Kong) => unknown][] = [
    [
      /argument 2 must be a string, a number, a boolean or a list/,
      (k) => k.response.setHeader('a', {} as never),
    ],
    [/argument 2\[1\] must be/, (k) => k.service.request.addHeader('a', ['b', {}] as never)],
    [
      /argument 1 must be the name of a header, not undefined/,
      (k) => k.response.setHeader(undefined as never, 'b'),
    ],
    [/argument 1\.x-a must be/, (k) => k.response.setHeaders({ 'x-a': { b: 1 } } as never)],
    [/argument 1\.q must be/, (k) => k.service.request.setQuery({ q: () => 1 } as never)],
    [/argument 1 must be an object, not a string/, (k) => k.service.request.setHeaders('a' as never)],
    [/argument 3\.x-a must be/, (k) => k.response.exit(200, 'b', { 'x-a': {} } as never)],
    [/argument 2 must be a value, not a function/, (k) => k.ctx.shared.set('a', () => 1)],
    [/argument 2\.b must be a value, not a symbol/, (k) => k.ctx.shared.set('a', { b: Symbol('s') })],
    [/contains itself/, (k) => k.ctx.shared.set('a', cycle)],
    [/argument 2 must be a string, a number/, (k) => k.response.setHeader('a', Number.NaN)],
  ];
  const act = async (kong: Kong) => {
    for (const [wrong, call] of calls) {
      const { code, message } = await refusal(() => call(kong));
      assert.equal(code, 'PDK_BAD_ARGUMENT');
      assert.match(message, wrong);
    }
    await kong.response.setHeader('x-end', false);
  };
  assert.deepEqual(
    (await overProtobuf(t, act)).calls.map(({ args }) => args),
    [{ k: 'x-end', v: 'false' }],
  );
  assert.deepEqual((await overMsgpack(t, act)).calls, [
    { Method: 'kong.response.set_header', Args: ['x-end', 'false'] },
  ]);
});

test('functions that only Lua could use say that no protocol brings them', async (t) => {
  for (const over of [overProtobuf, overMsgpack]) {
    let refused: PdkError | undefined;
    await over(t, async (kong) => {
      refused = await refusal(() => kong.service.setTargetRetryCallback((() => 1) as never));
    });
    assert.match(refused?.message ?? '', /code, which no protocol carries/);
  }
});

test('a query argument without a value is true, and the first of several counts', async (t) => {
  const results: unknown[] = [];
  await overProtobuf(
    t,
    async (kong) => {
      for (const name of ['debug', 'a', 'b', 'toString', 'none'])
        results.push(await kong.request.getQueryArg(name));
    },
    { 'kong.request.get_query': { debug: true, a: ['1', '2'], b: '' } },
  );
  assert.deepEqual(results, [true, '1', '', undefined, undefined]);
});

test("the upstream's headers are put together from what Kong does tell", async (t) => {
  let headers: unknown;
  const values: Record<string, string | undefined> = { server: 'up', 'set-cookie': 'a=1' };
  class Handler {
    async response(kong: Kong) {
      headers = await kong.service.response.getHeaders();
    }
  }
  const peer = (await serving(t, { plugin: Handler })).msgpackPeer();
  const id = await peer.start('plugin');
  const shown = { server: ['kong'], 'set-cookie': ['a=1', 'b=2'], 'x-plugin': ['p'] };
  await peer.event(id, 'response', {
    'kong.response.get_headers': shown,
    'kong.service.response.get_header': ([name]: [string]) => values[name],
  });
  assert.deepEqual(headers, { server: 'up', 'set-cookie': ['a=1', 'b=2'] });
});

test('enableBuffering does nothing for a plugin with a response handler, and says what would help another', async (t) => {
  class Buffering {
    async access(kong: Kong) {
      await kong.service.request.enableBuffering();
    }
    response() {}
  }
  const peer = (await serving(t, { plugin: Buffering })).peer();
  const { calls, end } = await peer.event((await peer.start('plugin')) as number);
  assert.deepEqual([calls, end], [[], 'returned']);
  let refused: PdkError | undefined;
  await overProtobuf(t, async (kong) => {
    refused = await refusal(() => kong.service.request.enableBuffering());
  });
  assert.match(refused?.message ?? '', /`response` handler.*--protocol msgpack/);
});

test('forwarded path, prefix and start time are what Kong would answer', async (t) => {
  const results: unknown[] = [];
  const act = async (kong: Kong) => {
    results.push(
      await kong.request.getForwardedPrefix(),
      await kong.request.getForwardedPath(),
      await kong.request.getStartTime(),
    );
  };
  const answers = {
    'kong.client.get_ip': { v: '10.0.0.1' },
    'kong.request.get_header': { v: '/from-a-proxy' },
    'kong.nginx.get_var': { v: '/stripped' },
    'kong.request.get_path': { v: '/own' },
    'kong.nginx.req_start_time': { v: 1.5 },
  };
  await overProtobuf(t, act, answers);
  await overProtobuf(t, act, { ...answers, 'kong.ip.is_trusted': { v: true }, 'kong.nginx.get_ctx': 1234 });
  assert.deepEqual(results, ['/stripped', '/own', 1500, '/from-a-proxy', '/from-a-proxy', 1234]);
});

test('a body is set as JSON that keeps empty lists and nulls, as a form, and as multipart', async (t) => {
  const body = { list: [], none: null, a: '1' };
  const act = async (kong: Kong) => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      await kong.service.request.setBody(type === 'application/json' ? body : { a: '1 2', no: false }, type);
    }
  };
  const { calls } = await overMsgpack(t, act);
  const texts = calls.map(({ Args }) => String(Args.at(-1)));
  assert.deepEqual(texts.slice(0, 4), [
    JSON.stringify(body),
    'application/json',
    'a=1%202',
    'application/x-www-form-urlencoded',
  ]);
  const form = await new Response(texts[4], { headers: { 'content-type': texts[5] as string } }).formData();
  assert.deepEqual([...form], [['a', '1 2']]);
});

test('a vault reference is taken apart without looking anything up', async (t) => {
  const { calls } = await overProtobuf(t, async (kong) => {
    const parse = (reference: string) => kong.vault.parseReference(reference);
    assert.deepEqual(await parse('{vault://env/my-secret}'), { name: 'env', resource: 'my-secret' });
    assert.deepEqual(await parse('{vault://aws/a/b%20c/key?region=eu&raw#3}'), {
      name: 'aws',
      resource: 'a/b c',
      key: 'key',
      config: { region: 'eu', raw: true },
      version: 3,
    });
    for (const wrong of ['env/x', '{vault://}', '{vault://env}', '{vault://env/}', '{vault://env/a#b}']) {
      const { code, message } = await refusal(() => parse(wrong));
      assert.equal(code, 'PDK_FAILED');
      assert.ok(!message.includes(wrong), 'the reference is not repeated');
    }
  });
  assert.deepEqual(calls, []);
});
