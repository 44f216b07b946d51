import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { methodNamed, PHASE_LETTERS } from '../../src/pdk/methods.js';
import type { Kong } from '../../src/pdk/types.js';
import type { Phase } from '../../src/plugin/definition.js';
import { decode } from '../../src/protocol/msgpack/index.js';
import { captures, type RecordedCall } from '../support/captures.js';
import { pdkFunction } from '../support/pdk-function.js';
import { serving } from '../support/serving.js';

const names = (calls: { Method: string }[]) => calls.map(({ Method }) => Method);

class Plain {
  access() {}
}

test('an event asks, waits for the answer, and ends', async (t) => {
  class Plugin {
    async access(kong: Kong) {
      const headers = await kong.request.getHeaders();
      kong.service.request.setHeader('X-Customer-Id', `u-${headers.id}`);
      kong.ctx.shared.set('customer_verified', 'u');
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).msgpackPeer();
  const id = await peer.start('plugin', { message: 'hi' });
  for (let round = 0; round < 3; round++) {
    const result = await peer.event(id, 'access', { 'kong.request.get_headers': { id: ['1'] } });
    assert.deepEqual(result, {
      calls: [
        { Method: 'kong.request.get_headers', Args: [] },
        { Method: 'kong.service.request.set_header', Args: ['X-Customer-Id', 'u-1'] },
        { Method: 'kong.ctx.shared.set', Args: ['customer_verified', 'u'] },
      ],
      end: 'returned',
    });
  }
  assert.equal(await peer.eventsKept(), 0);
});

test('calls without a result wait in line, one for each Step, while the handler goes on', async (t) => {
  let steps = 0;
  let handlerDone = -1;
  class Plugin {
    async access(kong: Kong) {
      for (let i = 0; i < 5; i++) await kong.response.addHeader('X-N', i);
      handlerDone = steps;
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).msgpackPeer();
  const InstanceId = await peer.start('plugin');
  const args: unknown[] = [];
  let answer = await peer.request('plugin.HandleEvent', { InstanceId, EventName: 'access' });
  for (;;) {
    const { Data, EventId } = answer as { Data: { Args: unknown[] } | 'ret'; EventId: number };
    if (Data === 'ret') break;
    args.push(Data.Args[1]);
    steps++;
    answer = await peer.request('plugin.Step', { EventId });
  }
  assert.deepEqual(args, [0, 1, 2, 3, 4]);
  assert.equal(handlerDone, 0);
});

test('an exit is the last thing said, and nothing is kept for a Step that never comes', async (t) => {
  const after: string[] = [];
  class Exiting {
    async access(kong: Kong) {
      try {
        await kong.response.exit(403, 'no', { 'X-A': 'b' });
        after.push('awaited');
      } finally {
        after.push('finally');
      }
    }
  }
  class Erring {
    access(kong: Kong) {
      kong.response.error(400, 'Invalid Headers');
      after.push('floating');
    }
  }
  const server = await serving(t, { exiting: Exiting, erring: Erring });
  const peer = server.msgpackPeer();
  const exiting = await peer.start('exiting');
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(await peer.event(exiting), {
      calls: [{ Method: 'kong.response.exit', Args: [403, 'no', { 'X-A': 'b' }] }],
      end: 'exit',
    });
  }
  assert.deepEqual((await peer.event(await peer.start('erring'))).calls, [
    { Method: 'kong.response.error', Args: [400, 'Invalid Headers'] },
  ]);
  assert.deepEqual(after, Array(20).fill('finally'));
  assert.equal(await peer.eventsKept(), 0);
});

test('an event whose Step does come is kept until then', async (t) => {
  class Plugin {
    async access(kong: Kong) {
      await kong.request.getHost();
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).msgpackPeer();
  const InstanceId = await peer.start('plugin');
  const answer = await peer.request('plugin.HandleEvent', { InstanceId, EventName: 'access' });
  assert.equal(await peer.eventsKept(), 1);
  const { EventId } = answer as { EventId: number };
  assert.deepEqual(await peer.request('plugin.Step', { EventId, Data: 'h' }), { Data: 'ret', EventId });
  assert.equal(await peer.eventsKept(), 0);
  await assert.rejects(peer.request('plugin.Step', { EventId }), /event \d+ is not under way/);
});

test('a handler that throws becomes a response with status 500, but for log', async (t) => {
  class Throwing {
    access() {
      throw new Error('boom');
    }
    async response(kong: Kong) {
      await kong.request.getHeader('a');
      throw new Error('late boom');
    }
    log() {
      throw new Error('boom in log');
    }
  }
  const server = await serving(t, { throwing: Throwing });
  const peer = server.msgpackPeer();
  const id = await peer.start('throwing');
  for (const phase of ['access', 'response']) {
    const { calls, end } = await peer.event(id, phase);
    assert.equal(end, 'exit');
    assert.deepEqual(names(calls).slice(-2), ['kong.log.err', 'kong.response.exit']);
    const [status, body, headers] = calls.at(-1)?.Args ?? [];
    assert.equal(status, 500);
    assert.deepEqual(JSON.parse(String(body)), { message: 'An unexpected error occurred' });
    assert.deepEqual(headers, { 'Content-Type': 'application/json; charset=utf-8' });
  }
  const { calls, end } = await peer.event(id, 'log');
  assert.deepEqual([names(calls), end], [['kong.log.err'], 'returned']);
  assert.match(String(calls[0]?.Args[0]), /throwing #\d+: log threw: boom in log/);
  assert.equal(await peer.eventsKept(), 0);
});

test('an argument that cannot be encoded fails the event closed, and the connection goes on', async (t) => {
  const unsendable: Record<string, unknown> = {
    function: () => {},
    symbol: Symbol('s'),
    bigint: 2n ** 70n,
    cycle: (() => {
      const cycle: Record<string, unknown> = {};
      cycle.self = cycle;
      return cycle;
    })(),
  };
  class Plugin {
    readonly value: unknown;
    constructor(config: { value?: string }) {
      this.value = unsendable[config.value ?? ''];
    }
    async access(kong: Kong) {
      kong.response.setHeader('X-Before', 'sent');
      await kong.ctx.shared.set('key', this.value);
    }
    rewrite(kong: Kong) {
      kong.response.exit(200, this.value as object);
    }
  }
  const server = await serving(t, { plugin: Plugin });
  const peers = { msgpack: server.msgpackPeer(), protobuf: server.peer() };
  for (const value of Object.keys(unsendable)) {
    const id = await peers.msgpack.start('plugin', { value });
    for (const [phase, wire] of [
      ['access', 'kong.ctx.shared.set'],
      ['rewrite', 'kong.response.exit'],
    ] as const) {
      const { calls, end } = await peers.msgpack.event(id, phase);
      const exit = calls.at(-1);
      assert.deepEqual([end, exit?.Method, exit?.Args[0]], ['exit', 'kong.response.exit', 500], value);
      assert.ok(
        server.lines.some((line) => line.includes(`${phase} threw`) && line.includes(wire)),
        `${value}: the log names ${wire}`,
      );
      server.lines.length = 0;
    }
  }
  const id = (await peers.protobuf.start('plugin', { value: 'bigint' })) as number;
  const { calls, end } = await peers.protobuf.event(id, 'access');
  assert.equal(end, 'exit');
  assert.equal((calls.at(-1) as { args: { status: number } }).args.status, 500);
  assert.equal(await peers.msgpack.eventsKept(), 0);
});

test('an unknown instance is refused in the words that make Kong start it anew', async (t) => {
  const peer = (await serving(t, { plain: Plain })).msgpackPeer();
  const { end, error } = await peer.event(12345);
  assert.equal(end, 'error');
  assert.match(error ?? '', /no plugin instance/);
  await assert.rejects(peer.request('plugin.InstanceStatus', 12345), /no plugin instance/);
});

test('a StartInstance that cannot be carried out is an error that says why', async (t) => {
  const server = await serving(t, { plain: Plain });
  const peer = server.msgpackPeer();
  const refusals: [string, unknown, RegExp][] = [
    ['plain', '{"message": "hunter2', /plugin "plain": the configuration is not valid JSON/],
    ['plain', '[1]', /plugin "plain": the configuration is not a JSON object/],
    ['nobody', {}, /plugin "nobody": not served here/],
  ];
  for (const [name, config, reason] of refusals) {
    await assert.rejects(peer.start(name, config), reason);
    assert.match(server.lines.at(-1) ?? '', reason);
  }
  await assert.rejects(peer.request('plugin.StartInstance', { Name: 'plain' }), /configuration is not text/);
  await assert.rejects(peer.request('plugin.StartInstance'), /without a Name/);
  await assert.rejects(peer.request('plugin.NoSuch'), /method plugin\.NoSuch is not known here/);
  assert.ok(!server.lines.join().includes('hunter2'));
});

test('the configuration may come as bytes, and is given back with the instance', async (t) => {
  const peer = (await serving(t, { plain: Plain })).msgpackPeer();
  const Config = Buffer.from('{"name":"é","n":1}');
  const started = await peer.request('plugin.StartInstance', { Name: 'plain', Config });
  const { Id, StartTime } = started as { Id: number; StartTime: number };
  assert.ok(Math.abs(StartTime - Date.now() / 1000) < 60);
  const instance = { Name: 'plain', Id, Config: { name: 'é', n: 1 }, StartTime };
  assert.deepEqual(started, instance);
  assert.deepEqual(await peer.request('plugin.InstanceStatus', Id), instance);
  assert.deepEqual(await peer.request('plugin.CloseInstance', Id), { Name: 'plain', Id });
  assert.match((await peer.event(Id)).error ?? '', /no plugin instance/);
});

test('the status and the plugins are told', async (t) => {
  const peer = (await serving(t, { plain: Plain })).msgpackPeer();
  const info = (await peer.request('plugin.GetPluginInfo', 'plain')) as Record<string, unknown>;
  assert.deepEqual([info.Name, info.Version, info.Phases], ['plain', '1.0.0', ['access']]);
  await assert.rejects(peer.request('plugin.GetPluginInfo', 'nobody'), /plugin "nobody": not served here/);
  const status = (await peer.request('plugin.GetStatus')) as { Pid: number; Plugins: object };
  assert.deepEqual([status.Pid, Object.keys(status.Plugins)], [process.pid, ['plain']]);
});

test('both protocols are served on one socket at the same time', async (t) => {
  class Plugin {
    async access(kong: Kong) {
      kong.response.setHeader('X-Path', await kong.request.getPath());
    }
  }
  const server = await serving(t, { plugin: Plugin });
  const [packed, buffed] = [server.msgpackPeer(), server.peer()];
  const [packedId, buffedId] = [await packed.start('plugin'), (await buffed.start('plugin')) as number];
  assert.notEqual(packedId, buffedId);
  for (let round = 0; round < 10; round++) {
    const [a, b] = await Promise.all([
      packed.event(packedId, 'access', { 'kong.request.get_path': '/packed' }),
      buffed.event(buffedId, 'access', { 'kong.request.get_path': { v: '/buffed' } }),
    ]);
    assert.deepEqual(a.calls.at(-1)?.Args, ['X-Path', '/packed']);
    assert.deepEqual(b.calls.at(-1)?.args, { k: 'X-Path', v: '/buffed' });
  }
});

describe('PDK calls as they were recorded', () => {
  /** What no plugin can make the server send, and why. Any other name reaches Kong. */
  const NOT_SENT: Readonly<Record<string, string>> = {
    '': 'no function has this name',
    'kong.service.request.set_body': 'built from others, so that empty lists stay lists',
    'kong.service.response.get_headers': 'built from others: Kong always answers {}',
  };
  const MULTI_MAP = /\.get_headers$|\.get_query$/;
  const RAW_BODY = /\.get_raw_body$/;

  interface MsgpackRecord extends RecordedCall {
    callDataHex: string;
    stepRequestHex?: string;
    callTruncated?: string;
  }

  /** What a plugin gets for the `Data` of a Step. */
  function plain(method: string, data: unknown): unknown {
    if (MULTI_MAP.test(method)) {
      return Object.fromEntries(
        Object.entries(data as Record<string, unknown[]>).map(([name, values]) => {
          if (values.length === 0) return [name, true];
          return [name, values.length === 1 ? values[0] : values];
        }),
      );
    }
    if (RAW_BODY.test(method)) return Buffer.from(data as Buffer);
    if (method === 'kong.request.get_uri_captures') {
      const { unnamed, named } = data as { unnamed: object; named: object };
      return { unnamed: Object.values(unnamed).slice(1), named: Array.isArray(named) ? {} : named };
    }
    if (method === 'kong.client.get_credential' && data !== undefined) {
      // Where ProtoBuf:1 has it.
      return { ...(data as object), consumer_id: (data as { consumer: { id: string } }).consumer.id };
    }
    return data ?? undefined;
  }

  test('travel with the same arguments, and their results arrive normalised', async (t) => {
    let act: (kong: Kong) => unknown = () => {};
    class Plugin {
      access(kong: Kong) {
        return act(kong);
      }
      response(kong: Kong) {
        return act(kong);
      }
      log(kong: Kong) {
        return act(kong);
      }
    }
    const peer = (await serving(t, { plugin: Plugin })).msgpackPeer();
    const id = await peer.start('plugin');
    let compared = 0;
    let answered = 0;
    for (const record of captures<MsgpackRecord[]>('msgpack/methods.json')) {
      const { method, callDataHex, stepRequestHex, phase } = record;
      if (Object.hasOwn(NOT_SENT, method)) continue;
      // Refused at the call.
      const known = methodNamed(method);
      if (known?.kind !== 'exit' && known && !known.phases.includes(PHASE_LETTERS[phase as Phase])) continue;
      if (!/^([0-9a-f]{2})+$/.test(callDataHex)) continue;
      const recorded = decode(Buffer.from(callDataHex, 'hex')) as { Method: string; Args: unknown };
      // The stock server sends a list, and so do plugins; that Kong takes other forms too is its own affair.
      if (!Array.isArray(recorded.Args)) continue;
      const args = recorded.Args as unknown[];
      const step = /^([0-9a-f]{2})+$/.test(stepRequestHex ?? '')
        ? (decode(Buffer.from(stepRequestHex as string, 'hex')) as [0, number, string, [{ Data?: unknown }]])
        : undefined;
      const data = step?.[3][0].Data;
      // Tables are written out for the log: Kong would log their addresses.
      if (method.startsWith('kong.log.') && args.some((arg) => typeof arg === 'object' && arg !== null)) {
        recorded.Args = args.map((arg) => (typeof arg === 'object' ? inspect(arg) : arg));
      }
      // The text that Lua makes of it; over ProtoBuf:1 Kong would not see it otherwise.
      if (/_headers?$/.test(method)) recorded.Args = args.map((arg) => (arg === false ? 'false' : arg));
      let result: unknown = 'nothing';
      act = async (kong) => {
        result = await pdkFunction(kong, method)(...args);
      };
      const event = await peer.event(id, phase, { [method]: data });
      assert.deepEqual(event.calls[0], recorded, `${method} ${JSON.stringify(record.args)}`);
      compared++;
      const kind = methodNamed(method)?.kind ?? 'value';
      if (kind === 'exit') assert.equal(event.end, 'exit');
      else assert.equal(event.end, 'returned');
      if (kind === 'void') assert.equal(result, null);
      if (kind !== 'value' || step === undefined) continue;
      assert.deepEqual(result, plain(method, data), `result of ${method} ${record.note ?? ''}`);
      answered++;
    }
    assert.ok(compared > 130 && answered > 70, `${compared} calls, ${answered} results compared`);
    assert.equal(await peer.eventsKept(), 0);
  });

  test('URI captures are lists and maps of text, whatever Lua made of the table', async (t) => {
    const results: unknown[] = [];
    class Plugin {
      async access(kong: Kong) {
        results.push(await kong.request.getUriCaptures());
      }
    }
    const peer = (await serving(t, { plugin: Plugin })).msgpackPeer();
    const id = await peer.start('plugin');
    const unnamed = new Map([
      [0, '/abc/42'],
      [1, 'abc'],
      [2, '42'],
    ]);
    const answers = [
      { unnamed, named: { name: 'abc' } },
      { unnamed: [], named: [] },
    ];
    for (const data of answers) await peer.event(id, 'access', { 'kong.request.get_uri_captures': data });
    assert.deepEqual(results, [
      { unnamed: ['abc', '42'], named: { name: 'abc' } },
      { unnamed: [], named: {} },
    ]);
  });
});
