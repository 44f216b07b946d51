import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, test as nodeTest } from 'node:test';
import { type ConfiguredPlugin, PluginEventError } from '../../../src/gateway/plugin-port.js';
import type { RpcOptions } from '../../../src/gateway/rpc/options.js';
import { ProtobufCaller } from '../../../src/gateway/rpc/protobuf-caller.js';
import { encodeFrame } from '../../../src/protocol/protobuf/frames.js';
import { encodeRpcReturn } from '../../../src/protocol/protobuf/rpc.js';
import type { Peer } from './peer.js';
import { answerStart, endOfEvent, finishEvent, listen, nextCommand, pdkCall } from './protobuf-peer.js';
import { RecordingHost } from './recording-host.js';

const test = (name: string, body: () => Promise<void>) => nodeTest(name, { timeout: 20_000 }, body);

let peer: Peer<Buffer>;
let callers: ProtobufCaller[] = [];

beforeEach(async () => {
  peer = await listen();
});
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await peer.close();
});

function newCaller(options: Partial<RpcOptions> = {}): ProtobufCaller {
  const caller = new ProtobufCaller({ socketPath: peer.path, ...options });
  callers = [...callers, caller];
  return caller;
}

function pluginOf(name: string, route = 'r1', generation = 1): ConfiguredPlugin {
  const entity = `plugins:${name}:${route}`;
  return { key: `${entity}:${generation}`, name, config: { __key__: entity, __seq__: generation } };
}

const first = pluginOf('first');

function run(caller: ProtobufCaller, plugin = first, requestEnded?: Promise<unknown>) {
  const host = new RecordingHost();
  return caller.handleEvent({
    plugin,
    phase: 'access',
    host,
    ...(requestEnded ? { requestEnded } : {}),
  });
}

test('the first sequence number is 2, and each plugin counts for itself', async () => {
  const caller = newCaller();
  for (const name of ['first', 'second']) {
    const event = run(caller, pluginOf(name));
    const start = await answerStart(peer, 7);
    assert.equal(start.sequence, 2);
    const { socket, call } = await nextCommand(peer);
    assert.deepEqual(call, { sequence: 3, cmd_handle_event: { instance_id: 7, event_name: 'access' } });
    socket.write(endOfEvent({ sequence: 3 }));
    assert.equal(await event, 'done');
  }
  assert.equal(peer.sockets.length, 1, 'all on one pooled connection');
});

test('concurrent first requests share one start', async () => {
  const caller = newCaller();
  const events = [1, 2, 3, 4, 5].map(() => run(caller));
  await answerStart(peer, 1);
  const pending = [];
  for (let i = 0; i < 5; i++) pending.push(await nextCommand(peer));
  for (const { socket, call } of pending) {
    assert.ok(call.cmd_handle_event);
    socket.write(endOfEvent({ sequence: call.sequence }));
  }
  assert.deepEqual(await Promise.all(events), Array(5).fill('done'));
  assert.equal(peer.sockets.length, 5, 'one connection per event under way');
});

test('after a change of the configuration: start the new, close the old, run the event', async () => {
  const caller = newCaller();
  const before = run(caller);
  await answerStart(peer, 1);
  await finishEvent(peer);
  await before;
  const after = run(caller, pluginOf('first', 'r1', 2));
  const start = await answerStart(peer, 2);
  assert.equal(JSON.parse(start.cmd_start_instance?.config.toString() ?? '').__seq__, 2);
  const { socket, call } = await nextCommand(peer);
  assert.deepEqual(call.cmd_close_instance, { instance_id: 1 });
  socket.write(encodeFrame(encodeRpcReturn({ sequence: call.sequence })));
  const event = await nextCommand(peer);
  assert.equal(event.call.cmd_handle_event?.instance_id, 2);
  event.socket.write(endOfEvent({ sequence: event.call.sequence }));
  assert.equal(await after, 'done');
});

test('a close during an event forgets all instances of that plugin, and of no other', async () => {
  const caller = newCaller();
  const plugins = [first, pluginOf('first', 'r2'), pluginOf('other')];
  for (const [id, plugin] of plugins.entries()) {
    const event = run(caller, plugin);
    await answerStart(peer, id);
    await finishEvent(peer);
    await event;
  }
  const retried = run(caller);
  (await nextCommand(peer)).socket.destroySoon();
  await answerStart(peer, 10);
  await finishEvent(peer);
  assert.equal(await retried, 'done');
  const sibling = run(caller, plugins[1]);
  await answerStart(peer, 11);
  await finishEvent(peer);
  assert.equal(await sibling, 'done');
  const other = run(caller, plugins[2]);
  const { socket, call } = await nextCommand(peer);
  assert.equal(call.cmd_handle_event?.instance_id, 2);
  socket.write(endOfEvent({ sequence: call.sequence }));
  assert.equal(await other, 'done');
});

test('closes are followed through without a limit', async () => {
  const caller = newCaller();
  const event = run(caller);
  for (let round = 0; round < 20; round++) {
    await answerStart(peer, round);
    (await nextCommand(peer)).socket.destroySoon();
  }
  await answerStart(peer, 20);
  await finishEvent(peer);
  assert.equal(await event, 'done');
});

test('a reset fails the event and keeps the instance', async () => {
  const caller = newCaller();
  const start = run(caller);
  await answerStart(peer, 1);
  const socket = await finishEvent(peer);
  await start;
  socket.end();
  await peer.closed(socket);
  await peer.close();
  // What it is sent stays unread, so closing resets the connection.
  const deaf = createServer({ pauseOnConnect: true }, (accepted) => {
    setTimeout(() => accepted.destroy(), 50);
  });
  deaf.listen(peer.path);
  await once(deaf, 'listening');
  await assert.rejects(run(caller), PluginEventError);
  deaf.close();
  await once(deaf, 'close');
  peer = await listen(peer.path);
  const next = run(caller);
  await finishEvent(peer);
  assert.equal(await next, 'done');
});

test('a missing socket fails requests; the instance is used again when the server is back', async () => {
  const caller = newCaller();
  const start = run(caller);
  await answerStart(peer, 9);
  const socket = await finishEvent(peer);
  await start;
  socket.end();
  await peer.closed(socket);
  await peer.close();
  await assert.rejects(run(caller), PluginEventError);
  rmSync(peer.path, { force: true });
  peer = await listen(peer.path);
  const event = run(caller);
  const { socket: fresh, call } = await nextCommand(peer);
  assert.equal(call.cmd_handle_event?.instance_id, 9);
  fresh.write(endOfEvent({ sequence: call.sequence }));
  assert.equal(await event, 'done');
});

test('a refused start fails the request without a retry; the next request starts anew', async () => {
  const caller = newCaller();
  const refused = assert.rejects(run(caller), { message: '[first] closed' });
  const { socket, call } = await nextCommand(peer);
  assert.ok(call.cmd_start_instance);
  socket.destroySoon();
  await refused;
  const event = run(caller);
  await answerStart(peer, 1);
  await finishEvent(peer);
  assert.equal(await event, 'done');
});

test('a start answered without a status leaves its claim: the next request waits for it in vain', async () => {
  const caller = newCaller({ claimTimeoutMs: 50 });
  const broken = assert.rejects(run(caller), PluginEventError);
  const { socket, call } = await nextCommand(peer);
  socket.write(encodeFrame(encodeRpcReturn({ sequence: call.sequence })));
  await broken;
  await assert.rejects(run(caller), /Could not claim instance_id for first/);
  const event = run(caller);
  await answerStart(peer, 1);
  await finishEvent(peer);
  assert.equal(await event, 'done');
});

test('a silent server fails the event after the read timeout', async () => {
  const caller = newCaller({ readTimeoutMs: 50 });
  const event = assert.rejects(run(caller), /timeout/);
  await answerStart(peer, 1);
  const { socket } = await nextCommand(peer);
  await event;
  await peer.closed(socket);
});

test('an exit is never answered, and its connection is closed when the request has ended', async () => {
  const caller = newCaller();
  let answered = () => {};
  const requestEnded = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const event = run(caller, first, requestEnded);
  await answerStart(peer, 1);
  const { socket } = await nextCommand(peer);
  socket.write(pdkCall('kong.response.exit', { status: 403, body: Buffer.from('no') }));
  assert.equal(await event, 'exit');
  // Another event runs on another connection meanwhile: the first one is still open.
  const second = run(caller);
  const other = await finishEvent(peer);
  assert.notEqual(other, socket);
  assert.equal(await second, 'done');
  assert.equal(socket.readableEnded, false);
  answered();
  await peer.closed(socket);
});

test('an idle connection is closed after the idle timeout', async () => {
  const caller = newCaller({ idleTimeoutMs: 30 });
  const event = run(caller);
  await answerStart(peer, 1);
  const socket = await finishEvent(peer);
  await event;
  await peer.closed(socket);
});

test('close ends all connections and fails what is under way', async () => {
  const caller = newCaller();
  const event = assert.rejects(run(caller), PluginEventError);
  await answerStart(peer, 1);
  const { socket } = await nextCommand(peer);
  caller.close();
  await event;
  await peer.closed(socket);
});
