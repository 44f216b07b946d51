import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { SocketPath } from '../../../src/server/socket/path.js';
import { CliProcess } from '../../support/cli.js';
import { KongPeer } from '../../support/kong-peer.js';
import { socketFolder } from '../../support/serving.js';

test('the path is taken over by renaming, and only its own socket is ever removed', async (t) => {
  const folder = socketFolder(t);
  const path = join(folder, 'p.sock');
  const [first, second] = [createServer(), createServer()] as [Server, Server];
  t.after(() => second.close());
  const old = new SocketPath(path);
  await old.listen(first, 0o600);
  assert.deepEqual(readdirSync(folder), ['p.sock']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.ok(old.isOwn());

  const successor = new SocketPath(path);
  await successor.listen(second, 0o660);
  assert.ok(!old.isOwn());
  old.release();
  await new Promise<void>((resolve) => first.close(() => resolve()));
  assert.ok(existsSync(path), 'the end of the old server took the new one’s socket away');
  assert.equal(statSync(path).mode & 0o777, 0o660);
  successor.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('a path that cannot be used is named with the reason', async (t) => {
  assert.throws(() => new SocketPath(`/tmp/${'x'.repeat(120)}`), {
    code: 'SOCKET_PATH_TOO_LONG',
    message: /x{120}.*107 are possible/,
  });
  const path = join(socketFolder(t), 'missing', 'p.sock');
  await assert.rejects(new SocketPath(path).listen(createServer(), 0o600), {
    code: 'SOCKET_PATH_UNUSABLE',
    message: /missing\/p\.sock: the folder \S+missing does not exist/,
  });
});

/** What hides from a process the part of Node that is not documented. */
const WITHOUT_HANDLES = `data:text/javascript,${encodeURIComponent(
  "import net from 'node:net'; import { syncBuiltinESMExports } from 'node:module';" +
    'delete net._createServerHandle; syncBuiltinESMExports();',
)}`;

test('where Node has no handles to share, one process serves, and takes over, and is taken over from', async (t) => {
  const folder = socketFolder(t);
  const path = join(folder, 'p.sock');
  const start = async () => {
    const args = ['serve', '--plugin', 'hello', '--workers', '2', '--socket', path];
    const server = new CliProcess(args, { node: ['--import', WITHOUT_HANDLES] });
    t.after(() => server.kill());
    await server.said(/server started/);
    assert.match(server.log, /--workers and --linger have no effect with Node/);
    assert.deepEqual(server.workers(), []);
    return server;
  };
  const answers = async () => {
    const peer = new KongPeer(path);
    t.after(() => peer.close());
    const id = (await peer.start('hello', { message: 'hi' })) as number;
    return (await peer.event(id)).end;
  };
  const first = await start();
  assert.equal(await answers(), 'returned');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = await start();
  await first.stop('SIGTERM');
  assert.equal(await answers(), 'returned');
  await second.stop('SIGTERM');
  assert.deepEqual(readdirSync(folder), []);
});
