import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { InstanceIds } from '../../src/server/instances/ids.js';
import { sniffProtocol } from '../../src/server/sniff.js';
import { serving } from '../support/serving.js';

class Plain {
  access() {}
}

test('an unknown instance is refused by a clean close, and the server goes on', async (t) => {
  const server = await serving(t, { plain: Plain });
  const peer = server.peer();
  const errors: Error[] = [];
  peer.socket.on('error', (error) => errors.push(error));
  assert.equal((await peer.event(12345)).end, 'closed');
  assert.deepEqual(errors, []);
  const other = server.peer();
  const id = (await other.start('plain')) as number;
  assert.equal((await other.event(id)).end, 'returned');
});

test('a StartInstance that cannot be carried out is refused by a close, with one line that says why', async (t) => {
  const server = await serving(t, { plain: Plain });
  const refusals: [string, unknown, RegExp][] = [
    ['plain', '{"message": "hunter2', /plugin "plain": the configuration is not valid JSON$/],
    ['plain', '[1]', /plugin "plain": the configuration is not a JSON object$/],
    ['nobody', {}, /plugin "nobody": not served here$/],
  ];
  for (const [name, config, line] of refusals) {
    const before = server.lines.length;
    assert.equal(await server.peer().start(name, config), undefined);
    const said = server.lines.slice(before).filter((text) => text.includes('[error]'));
    assert.equal(said.length, 1);
    assert.match(said[0] as string, line);
  }
  assert.ok(!server.lines.join().includes('hunter2'));
});

test('an instance is closed, its plugin told, and closing one that is gone does no harm', async (t) => {
  let closed = 0;
  class Closing extends Plain {
    close() {
      closed++;
    }
  }
  const peer = (await serving(t, { closing: Closing })).peer();
  const id = (await peer.start('closing')) as number;
  const answer = await peer.command({ cmd_close_instance: { instance_id: id } });
  assert.equal(answer?.instance_status?.name, 'closing');
  assert.equal(closed, 1);
  assert.ok(await peer.command({ cmd_close_instance: { instance_id: id } }));
  assert.equal((await peer.event(id)).end, 'closed');
});

test('plugin names, infos and instance status are told', async (t) => {
  const peer = (await serving(t, { plain: Plain })).peer();
  assert.deepEqual((await peer.command({ cmd_get_plugin_names: {} }))?.plugin_names, { names: ['plain'] });
  const info = (await peer.command({ cmd_get_plugin_info: { name: 'plain' } }))?.plugin_info;
  assert.deepEqual([info?.name, info?.version, info?.phases], ['plain', '1.0.0', ['access']]);
  const id = (await peer.start('plain', { a: 1 })) as number;
  const status = (await peer.command({ cmd_get_instance_status: { instance_id: id } }))?.instance_status;
  assert.deepEqual(status?.config, { a: 1 });
});

test('a command may arrive byte by byte, and others wait their turn on their own connections', async (t) => {
  const server = await serving(t, { plain: Plain });
  const peer = server.peer();
  const id = (await peer.start('plain')) as number;
  const { encodeRpcCall } = await import('../../src/protocol/protobuf/rpc.js');
  const bytes = encodeFrame(
    encodeRpcCall({ sequence: 77, cmd_handle_event: { instance_id: id, event_name: 'access' } }),
  );
  peer.socket.setNoDelay(true);
  for (const byte of bytes) {
    await new Promise<void>((resolve) => peer.socket.write(Buffer.from([byte]), () => resolve()));
  }
  assert.equal((await peer.frame())?.length, 0);
  assert.equal((await peer.frame())?.toString('hex'), '084d');
});

test('bytes that mean nothing close their connection with one line, and no other', async (t) => {
  const server = await serving(t, { plain: Plain }, { maxMessageBytes: 1000 });
  const steady = server.peer();
  const id = (await steady.start('plain')) as number;
  const bad = [
    'ffffff7f',
    '05000000ffffffffff',
    '94ff0000',
    '940001a1',
    'c1',
    '940007a16193c1',
    '00000000',
    '94000aa1',
  ];
  for (const hex of bad.slice(0, 2)) {
    const before = server.lines.length;
    const socket = connect(server.socket);
    socket.on('error', () => {});
    socket.write(Buffer.from(hex, 'hex'));
    await new Promise((resolve) => socket.once('close', resolve));
    const said = server.lines.slice(before).filter((line) => line.includes('[warn]'));
    assert.equal(said.length, 1, `${hex}: ${said}`);
    assert.match(said[0] as string, /connection closed: /);
    assert.equal((await steady.event(id)).end, 'returned');
  }
});

test('the first bytes tell the protocols apart', () => {
  const sniff = (hex: string) => sniffProtocol(Buffer.from(hex, 'hex'));
  assert.equal(sniff(''), undefined);
  assert.equal(sniff('17'), 'protobuf');
  assert.equal(sniff('94'), undefined);
  assert.equal(sniff('9400'), undefined);
  assert.equal(sniff('940000'), undefined);
  assert.equal(sniff('9401'), 'protobuf', 'a frame of 404 bytes');
  assert.equal(sniff('94000000'), 'protobuf', 'a frame of 148 bytes');
  assert.equal(sniff('94000100'), 'protobuf', 'a frame of 65,684 bytes');
  assert.equal(sniff('940000b4'), 'msgpack', 'the first request');
  assert.equal(sniff('94007fb4'), 'msgpack');
  assert.equal(sniff('9400cc80'), 'msgpack');
  assert.equal(sniff('9400cd01'), 'msgpack');
  assert.equal(sniff('9400ce00'), undefined, 'request 65,536 and later, or a long frame');
  assert.equal(sniff(`9400ce00010000b2${Buffer.from('plugin.HandleEvent').toString('hex')}`), 'msgpack');
});

test('instance ids do not come back: not within a process, not in the next one, not when the clock is set back', () => {
  const seen = new Set<number>();
  let now = 1_700_000_000_000;
  const clock = () => now;
  for (let start = 0; start < 50; start++) {
    const ids = new InstanceIds({ now: clock });
    for (let i = 0; i < 1500; i++) {
      let id = ids.next();
      while (id === undefined) {
        now += 100;
        id = ids.next();
      }
      assert.ok(id > 0 && id <= 0x7fffffff && !seen.has(id), `id ${id}`);
      seen.add(id);
    }
    now += 100;
  }
  const ids = new InstanceIds({ now: clock });
  const first = ids.next();
  now -= 3_600_000;
  for (let i = 1; i < 256; i++) assert.notEqual(ids.next(), first);
  assert.equal(ids.next(), undefined, 'the tick is used up, and an earlier one is no way out');
});

test('instances that Kong forgot expire', async (t) => {
  const server = await serving(t, { plain: Plain }, { instanceTtlMs: 1 });
  const peer = server.peer();
  const id = (await peer.start('plain')) as number;
  assert.ok(server.server.findInstance(id));
  const { InstanceStore } = await import('../../src/server/instances/instances.js');
  const { definitionFromParts } = await import('../../src/plugin/dedicated.js');
  const log = { error() {}, warn() {}, notice() {}, info() {}, debug() {}, enabled: () => false };
  const store = new InstanceStore([definitionFromParts('plain', Plain, '1.0.0', 0, [])], log);
  store.start(1, 'plain', '{}', 1000);
  store.start(2, 'plain', '{}', 5000);
  store.expire(2000);
  assert.deepEqual([store.get(1), store.size], [undefined, 1]);
});
