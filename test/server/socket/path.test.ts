import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { SocketPath } from '../../../src/server/socket/path.js';
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
