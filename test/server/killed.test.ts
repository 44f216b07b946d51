import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeRpcCall } from '../../src/protocol/protobuf/rpc.js';
import { CliProcess } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { socketFolder } from '../support/serving.js';

const PLUGIN = `
exports.Plugin = class { async access(kong) { await kong.request.get_method() } };
exports.Version = '1.0.0';
exports.Schema = [];
`;

/** Whether a killed process has still to give up what it had open. */
function isClosing(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

function codeOf(error: Error | null | undefined): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code);
}

/** How a read of Kong's ends: by the other side's FIN, or by its reset. */
function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('FIN')).on('error', (error) => resolve(codeOf(error)));
  });
}

/**
 * A killed process reads nothing to its end: the system closes its connections one after the other, and what each of
 * them had unread decides what Kong sees. This is what no server can do anything about, and what the kill loop in
 * test/faults allows for:
 *
 * - an event that waits for Kong's answer had everything read: FIN, after which Kong forgets the instance and starts
 *   another one at once;
 * - if it sends that on a connection of the same process whose end it has not noticed yet: EPIPE, which leaves the claim
 *   behind for which requests wait 10 s;
 * - a command that was sent and not read: a reset, after which Kong answers 500 and keeps the instance.
 */
test('what kill -9 of a worker does to connections in each state', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const folder = socketFolder(t);
  writeFileSync(join(folder, 'asking.cjs'), PLUGIN);
  const path = join(folder, 'p.sock');
  const server = new CliProcess(['serve', '-d', folder, '--socket', path]);
  t.after(() => server.kill());
  await server.said(/server started/);
  const [worker = 0] = server.workers();

  const underWay = new KongPeer(path);
  t.after(() => underWay.close());
  const id = (await underWay.start('asking')) as number;
  const handleEvent = { cmd_handle_event: { instance_id: id, event_name: 'access' } };
  underWay.send(handleEvent);
  assert.equal(String(await underWay.frame()), 'kong.request.get_method');

  const idle = new KongPeer(path);
  t.after(() => idle.close());
  await idle.command({ cmd_get_plugin_names: {} });

  const unread = new KongPeer(path);
  t.after(() => unread.close());
  await unread.command({ cmd_get_plugin_names: {} });
  process.kill(worker, 'SIGSTOP');
  unread.send(handleEvent);
  await new Promise<void>((resolve) => unread.socket.write('', () => resolve()));

  const start = { cmd_start_instance: { name: 'asking', config: Buffer.from('{}') } };
  // What Kong does when it reads the FIN, before it gets to hear of the other connections.
  const sent = new Promise<string>((resolve) => {
    underWay.socket.once('end', () =>
      idle.socket.write(encodeFrame(encodeRpcCall({ sequence: 3, ...start })), (error) =>
        resolve(codeOf(error)),
      ),
    );
  });
  const endings = Promise.all([ending(underWay.socket), ending(unread.socket), sent]);
  process.kill(worker, 'SIGKILL');
  while (isClosing(worker)) {
    // Nothing may be read before all of them are closed.
  }
  assert.deepEqual(await endings, ['FIN', 'ECONNRESET', 'EPIPE']);

  // A new connection waits at the socket, which the primary holds, for the worker that takes the place of this one.
  const next = new KongPeer(path);
  t.after(() => next.close());
  assert.equal((await next.start('asking')) !== undefined, true);
});
