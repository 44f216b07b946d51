import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kong } from '../../src/pdk/types.js';
import { serving } from '../support/serving.js';

const names = (calls: { method: string }[]) => calls.map(({ method }) => method);

test('a verified request costs two writes: the question, then everything else at once', async (t) => {
  class Plugin {
    async access(kong: Kong) {
      const headers = await kong.request.getHeaders();
      kong.service.request.setHeader('X-Customer-Id', `u-${headers.id}`);
      kong.ctx.shared.set('customer_verified', 'u');
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const id = (await peer.start('plugin')) as number;
  const answers = { 'kong.request.get_headers': { id: '1' } };
  for (let round = 0; round < 3; round++) {
    const { calls, end, chunks } = await peer.event(id, 'access', answers);
    assert.equal(end, 'returned');
    assert.deepEqual(names(calls), [
      'kong.request.get_headers',
      'kong.service.request.set_header',
      'kong.ctx.shared.set',
    ]);
    assert.equal(calls[0]?.argsHex, '0864');
    assert.equal(calls[1]?.argsHex, '0a0d582d437573746f6d65722d496412051a03752d31');
    assert.equal(chunks.length, 2, `${chunks.length} writes`);
  }
});

test('an exit ends the handler, awaited or not, and nothing after it reaches Kong', async (t) => {
  const after: string[] = [];
  class Awaited {
    async access(kong: Kong) {
      try {
        await kong.response.exit(403, 'no', { 'X-A': 'b' });
        after.push('awaited');
      } finally {
        after.push('finally');
      }
    }
  }
  class Floating {
    access(kong: Kong) {
      kong.response.exit(403, 'no');
      after.push('floating');
    }
  }
  class Caught {
    async access(kong: Kong) {
      try {
        await kong.response.exit(400, 'first');
      } catch {
        await kong.log.err('never sent');
        after.push('behind a call');
      }
    }
  }
  const server = await serving(t, { awaited: Awaited, floating: Floating, caught: Caught });
  for (const name of ['awaited', 'floating', 'caught']) {
    const peer = server.peer();
    const { calls, end } = await peer.event((await peer.start(name)) as number);
    assert.equal(end, 'exit');
    assert.deepEqual(names(calls), ['kong.response.exit'], name);
    assert.equal(await noMore(peer), true);
  }
  assert.deepEqual(after, ['finally']);
});

test('whatever a handler throws becomes a response with status 500 and a line in both logs', async (t) => {
  class Sync {
    access() {
      throw new Error('boom');
    }
  }
  class Late {
    async access(kong: Kong) {
      await kong.request.getHeader('a');
      throw undefined;
    }
  }
  class Wrong {
    async access(kong: Kong) {
      await kong.service.setTarget({} as string, 5);
    }
  }
  const server = await serving(t, { sync: Sync, late: Late, wrong: Wrong });
  for (const name of ['sync', 'late', 'wrong']) {
    const peer = server.peer();
    const { calls, end } = await peer.event((await peer.start(name)) as number);
    assert.equal(end, 'exit', name);
    assert.deepEqual(names(calls).slice(-2), ['kong.log.err', 'kong.response.exit']);
    const exit = calls.at(-1)?.args as { status: number; body: Buffer };
    assert.equal(exit.status, 500);
    assert.deepEqual(JSON.parse(exit.body.toString()), { message: 'An unexpected error occurred' });
    assert.ok(server.lines.some((line) => line.includes('[error]') && line.includes(`${name} #`)));
  }
  assert.ok(server.lines.some((line) => line.includes('boom')));
  assert.ok(server.lines.some((line) => /set_target: argument 1 must be a string, not a object/.test(line)));
});

test('in the log phase an exception is logged and the event ends', async (t) => {
  class Plugin {
    log() {
      throw new Error('boom');
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const { calls, end } = await peer.event((await peer.start('plugin')) as number, 'log');
  assert.equal(end, 'returned');
  assert.deepEqual(names(calls), ['kong.log.err']);
});

test('response.error cuts the handler at once and answers as Kong words its errors', async (t) => {
  class Plugin {
    access(kong: Kong) {
      kong.response.error(403, 'msg');
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const { calls } = await peer.event((await peer.start('plugin')) as number, 'access', {
    'kong.nginx.get_var': { v: '0e7fdb1976ce4f0e5f105a7f9c5af048' },
  });
  const exit = calls.at(-1)?.args as { status: number; body: Buffer; headers: object };
  assert.equal(
    exit.body.toString(),
    '{\n  "message":"msg",\n  "request_id":"0e7fdb1976ce4f0e5f105a7f9c5af048"\n}',
  );
  assert.deepEqual(exit.headers, { 'Content-Type': 'application/json; charset=utf-8' });
  assert.equal(exit.status, 403);
});

test('an exit behind an answer that the handler did not wait for still counts', async (t) => {
  class Plugin {
    access(kong: Kong) {
      kong.request
        .getHeader('x')
        .then(
          () => kong.response.exit(401, 'no'),
          () => {},
        )
        .catch(() => {});
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const { end } = await peer.event((await peer.start('plugin')) as number);
  assert.equal(end, 'exit');
});

test('a refused PDK call is an error that names the method, and the event is over', async (t) => {
  const errors: unknown[] = [];
  class Plugin {
    async access(kong: Kong) {
      try {
        await kong.request.getHeaders();
      } catch (error) {
        errors.push(error);
        await kong.response.exit(500, 'unheard');
      }
    }
  }
  const server = await serving(t, { plugin: Plugin });
  const peer = server.peer();
  const id = (await peer.start('plugin')) as number;
  peer.send({ cmd_handle_event: { instance_id: id, event_name: 'access' } });
  await peer.frame();
  await peer.frame();
  peer.close();
  const other = server.peer();
  await other.command({ cmd_get_plugin_names: {} });
  while (errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [error] = errors as [{ code: string; method: string; message: string }];
  assert.equal(error.code, 'PDK_NO_ANSWER');
  assert.equal(error.method, 'kong.request.get_headers');
});

test('the kong object of an event that is over refuses calls, and does not touch the next event', async (t) => {
  let kept: Kong | undefined;
  const errors: string[] = [];
  class Plugin {
    async access(kong: Kong) {
      if (kept === undefined) kept = kong;
      else {
        try {
          await kept.request.getHost();
        } catch (error) {
          errors.push((error as { code: string }).code);
        }
      }
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const id = (await peer.start('plugin')) as number;
  assert.deepEqual((await peer.event(id)).calls, []);
  assert.deepEqual((await peer.event(id)).calls, []);
  assert.deepEqual(errors, ['EVENT_ENDED']);
});

test('an event that does not end is answered with 500 after its deadline', async (t) => {
  class Plugin {
    access() {
      return new Promise(() => {});
    }
    log() {
      return new Promise(() => {});
    }
  }
  const server = await serving(t, { plugin: Plugin }, { eventDeadlineMs: 60 });
  const peer = server.peer();
  const id = (await peer.start('plugin')) as number;
  const log = await peer.event(id, 'log');
  assert.equal(log.end, 'returned');
  const { calls, end } = await peer.event(id);
  assert.equal(end, 'exit');
  assert.equal((calls.at(-1) as { args: { status: number } }).args.status, 500);
  assert.ok(server.lines.some((line) => line.includes('no end after 60 ms')));
});

test('functions that ProtoBuf:1 does not carry are built from others, or refused by name', async (t) => {
  const results: unknown[] = [];
  class Plugin {
    async access(kong: Kong) {
      results.push(await kong.request.getRawPath());
      results.push(await kong.request.getBody());
      results.push(await kong.plugin.getId());
      results.push(await kong.vault.isReference('{vault://env/a}'));
      await kong.service.request.setBody({ a: 1 }, 'application/json');
      try {
        await kong.service.setRetries(5);
      } catch (error) {
        results.push((error as Error).message);
      }
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const id = (await peer.start('plugin', { __plugin_id: 'p-1' })) as number;
  const { calls, end } = await peer.event(id, 'access', {
    'kong.request.get_path_with_query': { v: '/a%20b?q=1' },
    'kong.request.get_raw_body': { content: Buffer.from('{"x":[1]}') },
    'kong.request.get_header': { v: 'application/json' },
  });
  assert.equal(end, 'returned');
  assert.deepEqual(results, [
    '/a%20b',
    { x: [1] },
    'p-1',
    true,
    'kong.service.set_retries: the protocol ProtoBuf:1 has no such function; --dump --protocol msgpack brings it, if Kong has it',
  ]);
  assert.deepEqual(names(calls).slice(-2), [
    'kong.service.request.set_raw_body',
    'kong.service.request.set_header',
  ]);
});

/** Nothing more comes: a command on the same connection would be answered if the server still read it. */
async function noMore(peer: { socket: { readableLength: number }; close(): void }): Promise<boolean> {
  const left = peer.socket.readableLength;
  peer.close();
  return left === 0;
}
