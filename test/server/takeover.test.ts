import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, linkSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog } from '../../src/server/log.js';
import { PluginServer } from '../../src/server/server.js';
import { OwnSocket } from '../../src/server/socket/own-socket.js';
import { assertMayTakeOver } from '../../src/server/socket/owner.js';
import { CliProcess, runCli } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { socketFolder } from '../support/serving.js';

const PLUGINS = join(import.meta.dirname, '../../plugins');

function newServer(t: TestContext): PluginServer {
  const server = new PluginServer({ plugins: [], log: createLog('error', () => {}) });
  t.after(() => server.close());
  return server;
}

/** Somebody else's server on the path, which answers nothing. */
async function stranger(t: TestContext, path: string): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
}

test('somebody else’s live server keeps its socket', async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  await stranger(t, path);
  await assert.rejects(newServer(t).listen(new OwnSocket(path)), {
    code: 'SOCKET_PATH_IN_USE',
    message: /p\.sock: it leads to a live server that is no plugin server; stop that first/,
  });
  assert.ok(existsSync(path));
});

test('so does another user’s', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  await newServer(t).listen(new OwnSocket(path));
  chownSync(path, 65_534, 65_534);
  await assert.rejects(newServer(t).listen(new OwnSocket(path)), {
    code: 'SOCKET_PATH_IN_USE',
    message: /live server of another user's \(uid 65534, this is 0\)/,
  });
});

test('what another user’s dead server has left is taken over, a live one’s is not', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  chmodSync(join(path, '..'), 0o755);
  const asNobody = async () => {
    process.seteuid?.(65_534);
    try {
      await assertMayTakeOver(path);
    } finally {
      process.seteuid?.(0);
    }
  };
  const live = newServer(t);
  await live.listen(new OwnSocket(path));
  await assert.rejects(asNobody(), {
    code: 'SOCKET_PATH_IN_USE',
    message: /it belongs to another user \(uid 0\)/,
  });
  // As a kill leaves it.
  const kept = `${path}.kept`;
  linkSync(path, kept);
  live.close();
  renameSync(kept, path);
  await asNobody();
});

test('a file that is no socket is not replaced', async (t) => {
  const path = join(socketFolder(t), 'notes.txt');
  writeFileSync(path, 'keep me');
  await assert.rejects(newServer(t).listen(new OwnSocket(path)), {
    code: 'SOCKET_PATH_IN_USE',
    message: /notes\.txt: it is there already and is no socket/,
  });
  assert.equal(readFileSync(path, 'utf8'), 'keep me');
});

test('the refusal is the command line’s, too, with workers and without', async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  await stranger(t, path);
  for (const workers of ['1', '2']) {
    const flags = ['-d', PLUGINS, '--plugin', 'hello', '--socket', path, '--workers', workers];
    const { code, stderr } = await runCli(flags);
    assert.equal(code, 1);
    assert.match(stderr, /cannot listen on .*p\.sock: it leads to a live server that is no plugin server/);
  }
});

test('a plugin server is superseded, also one that hangs; a dead one’s socket is taken over', async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  const start = async () => {
    const server = new CliProcess(['-d', PLUGINS, '--plugin', 'hello', '--socket', path, '--linger', '0']);
    t.after(async () => {
      await server.kill();
    });
    await server.said(/server started/);
    return server;
  };
  const works = async () => {
    const peer = new KongPeer(path);
    t.after(() => peer.close());
    const id = await peer.start('hello', { message: 'hi' });
    assert.equal((await peer.event(id as number)).end, 'returned');
  };
  const live = await start();
  const hanging = await start();
  await works();
  await live.said(/another server has taken over the socket/);
  hanging.child.kill('SIGSTOP');
  const killed = await start();
  await works();
  await killed.stop('SIGKILL');
  assert.ok(existsSync(path), 'left behind by the kill');
  await start();
  await works();
});
