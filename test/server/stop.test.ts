import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Kong } from '../../src/pdk/types.js';
import { EMPTY_FRAME, encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeRpcCall } from '../../src/protocol/protobuf/rpc.js';
import type { KongPeer } from '../support/kong-peer.js';
import { serving } from '../support/serving.js';

class Asking {
  async access(kong: Kong): Promise<void> {
    await kong.request.getMethod();
    kong.response.setHeader('x-asked', 'yes');
  }
}

/** Sends an event and reads up to its question. */
async function beginEvent(peer: KongPeer, instance_id: number): Promise<void> {
  peer.send({ cmd_handle_event: { instance_id, event_name: 'access' } });
  assert.equal(String(await peer.frame()), 'kong.request.get_method');
  await peer.frame();
}

test('a server that stops answers what is under way, and sends Kong away with the next event', async (t) => {
  const { server, peer } = await serving(t, { asking: Asking as never });
  const [busy, next, idle] = [peer(), peer(), peer()];
  const id = (await busy.start('asking')) as number;
  await beginEvent(busy, id);
  await next.start('asking');
  await idle.start('asking');

  const stopped = server.stop(60_000);
  // Refused by a clean close, after which Kong tries again elsewhere.
  const errors: Error[] = [];
  next.socket.on('error', (error) => errors.push(error));
  assert.equal((await next.event(id)).end, 'closed');
  assert.deepEqual(errors, []);
  // It can still be told of a new instance: Kong's first step after a refusal, on any connection it has.
  assert.equal(typeof (await idle.start('asking')), 'number');

  busy.socket.write(EMPTY_FRAME);
  assert.equal(String(await busy.frame()), 'kong.response.set_header');
  await busy.frame();
  assert.equal((await busy.frame())?.length, 0, 'the end of the calls');
  assert.ok(await busy.frame(), 'the return');
  busy.close();
  idle.close();
  await stopped;
});

test('connections that nobody uses are closed in the end, cleanly, whatever comes in at that moment', async (t) => {
  const { server, socket } = await serving(t, { asking: Asking as never });
  const idle = connect({ path: socket, allowHalfOpen: true });
  const errors: Error[] = [];
  idle.on('error', (error) => errors.push(error));
  const closed = new Promise((resolve) => idle.once('close', resolve));
  const ended = new Promise((resolve) => idle.once('end', resolve));
  // A first command, so that it is known what the connection speaks.
  const command = encodeFrame(encodeRpcCall({ sequence: 1, cmd_get_plugin_names: {} }));
  idle.write(command);
  await new Promise((resolve) => idle.once('data', resolve));
  const startedAt = performance.now();
  const stopped = server.stop(900);
  idle.resume();
  await ended;
  assert.ok(performance.now() - startedAt < 900, 'not only cut');
  idle.write(command);
  idle.end();
  await stopped;
  await closed;
  assert.deepEqual(errors, []);
});
