import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kong } from '../../src/pdk/types.js';
import { serving } from '../support/serving.js';

const FAILURE = 500;

class Throwing {
  constructor() {
    throw new Error('MY_SECRET is not defined');
  }
  access() {}
  log() {}
}

test('a refused instance is there, lets nothing through, and says why in Kong’s log: ProtoBuf:1', async (t) => {
  const server = await serving(t, { ctor: Throwing });
  const peer = server.peer();
  const id = (await peer.start('ctor')) as number;
  const reason = /plugin "ctor": MY_SECRET is not defined \(at .*refusals\.test\.ts:10:\d+\)$/;
  assert.match(server.lines.find((line) => line.includes('[error]')) ?? '', reason);
  const logged = await peer.event(id, 'log');
  assert.equal(logged.end, 'returned');
  assert.equal(logged.calls[0]?.method, 'kong.log.err');
  const { calls, end } = await peer.event(id, 'access');
  assert.equal(end, 'exit');
  assert.deepEqual(
    calls.map(({ method }) => method),
    ['kong.log.err', 'kong.response.exit'],
  );
  assert.match(JSON.stringify(calls[0]?.args), /instance not started: plugin \\"ctor\\": MY_SECRET is not/);
  assert.ok(JSON.stringify(calls[1]?.args).includes(String(FAILURE)));
});

test('and over MsgPack:1', async (t) => {
  const peer = (await serving(t, { ctor: Throwing })).msgpackPeer();
  const { calls, end } = await peer.event(await peer.start('ctor'), 'access');
  assert.equal(end, 'exit');
  assert.match(JSON.stringify(calls), /kong\.log\.err.*MY_SECRET is not defined.*kong\.response\.exit.*500/);
});

test('it is constructed again under traffic, and works once it can', async (t) => {
  let there = false;
  class Late {
    constructor() {
      if (!there) throw new Error('not there yet');
    }
    access() {}
  }
  const server = await serving(t, { late: Late });
  const id = (await server.peer().start('late')) as number;
  assert.equal((await server.peer().event(id)).end, 'exit');
  there = true;
  let end = 'exit';
  const startedAt = Date.now();
  while (end === 'exit' && Date.now() - startedAt < 20_000) end = (await server.peer().event(id)).end;
  assert.equal(end, 'returned');
});

test('what an error was caused by is part of what Kong logs', async (t) => {
  class Plugin {
    access() {
      const refused = Object.assign(new Error('connect 127.0.0.1:1'), { code: 'ECONNREFUSED' });
      throw new Error('fetch failed', { cause: new AggregateError([refused], '') });
    }
  }
  const server = await serving(t, { plugin: Plugin });
  const peer = server.peer();
  const { calls } = await peer.event((await peer.start('plugin')) as number);
  const expected = /fetch failed; cause: connect 127\.0\.0\.1:1 \(ECONNREFUSED\)/;
  assert.match(JSON.stringify(calls[0]?.args), expected);
  assert.match(server.lines.join('\n'), expected);
});

test('a PDK call in the wrong phase names the function and the plugin’s line', async (t) => {
  class Plugin {
    async log(kong: Kong) {
      await kong.request.getRawBody();
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const { calls, end } = await peer.event((await peer.start('plugin')) as number, 'log');
  assert.equal(end, 'returned');
  const said = JSON.stringify(calls[0]?.args);
  assert.match(
    said,
    /kong\.request\.get_raw_body: cannot be called in log, only in rewrite, access, response/,
  );
  assert.match(said, /refusals\.test\.ts:\d+:\d+/);
});
