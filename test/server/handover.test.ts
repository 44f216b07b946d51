import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { describeProcess } from '../../src/dev/processes.js';
import type { Kong } from '../../src/pdk/types.js';
import { createLog } from '../../src/server/log.js';
import { PluginServer } from '../../src/server/server.js';
import { OwnSocket } from '../../src/server/socket/own-socket.js';
import { type BoundHandle, SocketPath } from '../../src/server/socket/path.js';
import { eventually } from '../plugins/customer-verification/rig.js';
import { CliProcess } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { serving, socketFolder } from '../support/serving.js';

const PATIENCE_MS = 60_000;

class Greeting {
  async access(kong: Kong): Promise<void> {
    await kong.response.setHeader('x-pid', 'here');
  }
}

test('connections wait at a bound socket, which has its mode by then, and nobody is in its place yet', async (t) => {
  const path = join(socketFolder(t), 'p.sock');
  const before = process.umask(0);
  let handle: BoundHandle;
  try {
    handle = new SocketPath(path).bind(0o600);
  } finally {
    process.umask(before);
  }
  const beside = `${path}.${process.pid}`;
  assert.equal(statSync(beside).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(path)), [basename(beside)]);
  const socket = connect(beside);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write('for whoever accepts');
  const listener = createServer((accepted) => accepted.pipe(accepted)).listen({ fd: handle.fd });
  t.after(() => listener.close());
  const [answer] = await once(socket, 'data');
  assert.equal(String(answer), 'for whoever accepts');
});

for (const how of ['removed its path', 'was killed'] as const) {
  test(`a second server that came and ${how} leaves the first one serving`, async (t) => {
    const first = await serving(t, { greeting: Greeting as never });
    const peer = first.peer();
    const id = (await peer.start('greeting')) as number;
    const second = new PluginServer({ plugins: [], log: createLog('error', () => {}) });
    t.after(() => second.close());
    await second.listen(new OwnSocket(first.socket));
    await eventually('the first one leaves', PATIENCE_MS, () => first.server.leaving);
    assert.equal((await peer.event(id)).end, 'closed');
    if (how === 'was killed') {
      // As a kill leaves it: the path is there and nobody listens.
      linkSync(first.socket, `${first.socket}.kept`);
      second.close();
      renameSync(`${first.socket}.kept`, first.socket);
    } else second.close();
    const goneAt = performance.now();
    await eventually('the first one is back', PATIENCE_MS, () => !first.server.leaving);
    assert.equal((await first.peer().event(id)).end, 'returned');
    t.diagnostic(`after ${Math.round(performance.now() - goneAt)} ms`);
  });
}

test('over MsgPack:1 a server that was superseded ends its connections once no event is under way', async (t) => {
  let go = () => {};
  class Waiting {
    async access(): Promise<void> {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
    }
  }
  const { server, msgpackPeer } = await serving(t, {
    greeting: Greeting as never,
    waiting: Waiting as never,
  });
  const [busy, peer] = [msgpackPeer(), msgpackPeer()];
  const underWay = busy.event(await busy.start('waiting'));
  const id = await peer.start('greeting');
  await eventually('it waits', PATIENCE_MS, () => server.connectionCount === 4);
  server.leave();
  assert.equal((await peer.event(id)).end, 'returned', 'its Steps may come on any connection');
  await eventually('it insists', PATIENCE_MS, () => server.insisting);
  const { end, error } = await peer.event(id);
  assert.equal(end, 'error');
  assert.match(error ?? '', /no plugin instance/);
  go();
  assert.equal((await underWay).end, 'returned');
  await eventually('all are ended', PATIENCE_MS, () => server.connectionCount === 0);
});

test('connections that never ask make room for those that do, and then the idle ones', async (t) => {
  const { server, peer, socket } = await serving(t, { greeting: Greeting as never }, { maxConnections: 8 });
  const good = peer();
  const id = (await good.start('greeting')) as number;
  const idle = Array.from({ length: 30 }, () => connect(socket).on('error', () => {}));
  t.after(() => {
    for (const one of idle) one.destroy();
  });
  for (let n = 0; n < 5; n++) assert.equal((await peer().event(id)).end, 'returned');
  assert.equal(
    (await good.event(id)).end,
    'returned',
    'one that has asked stays longer than those that have not',
  );
  // With nothing but such ones, the oldest has to go.
  for (let n = 0; n < 20; n++) assert.equal((await peer().event(id)).end, 'returned');
  await eventually('few are left', PATIENCE_MS, () => server.connectionCount <= 8);
});

test('instance ids of a server and its successor never meet', async (t) => {
  const first = await serving(t, { greeting: Greeting as never });
  const second = new PluginServer({ plugins: first.server.plugins, log: createLog('error', () => {}) });
  t.after(() => second.close());
  await second.listen(new OwnSocket(first.socket));
  const ids = new Set<number>();
  for (let n = 0; n < 300; n++) {
    ids.add((await first.server.startInstance('greeting', '{}')).id);
    ids.add((await second.startInstance('greeting', '{}')).id);
  }
  assert.equal(ids.size, 600);
});

const PLUGIN = `
export const Schema = [{ message: { type: 'string' } }];
export const version = '1.0.0';
export const priority = 1;
export class Plugin {
  async access(kong) {
    kong.response.setHeader('x-pid', String(process.pid));
  }
}
`;

function start(t: TestContext, folder: string, args: readonly string[]): CliProcess {
  mkdirSync(join(folder, 'plugins'), { recursive: true });
  writeFileSync(join(folder, 'plugins', 'pid.mjs'), PLUGIN);
  const socket = join(folder, 'p.sock');
  const server = new CliProcess(['-d', join(folder, 'plugins'), '--socket', socket, ...args]);
  t.after(() => server.kill());
  return server;
}

test('workers without their primary start instances, serve, and leave nothing when they have lingered', async (t) => {
  const folder = socketFolder(t);
  const socket = join(folder, 'p.sock');
  // An environment file that is not there is not for Node to look for, in workers neither.
  const flags = ['--workers', '2', '--linger', '3', '--env-file', join(folder, 'absent')];
  const server = start(t, folder, flags);
  await server.said(/server started at path/);
  await server.stop('SIGTERM');
  const lostAt = performance.now();
  const pids = new Set<string>();
  let refused = 0;
  for (let n = 0; n < 20; n++) {
    const peer = new KongPeer(socket);
    const id = (await peer.start('pid')) as number;
    assert.ok(id > 0);
    const { end, calls } = await peer.event(id);
    if (end === 'closed') refused++;
    else pids.add(String((calls[0]?.args as { v: string } | undefined)?.v));
    peer.close();
  }
  // One of them steps back when it is asked first, which refuses one event.
  assert.ok(pids.size === 1 && refused <= 2, `${pids.size} processes, ${refused} refused`);
  await eventually('all have ended', PATIENCE_MS, () => server.all().length === 0);
  assert.ok(performance.now() - lostAt >= 2000);
  assert.deepEqual(readdirSync(folder), ['plugins']);
});

test('a worker whose primary is killed while it starts serves whoever has been waiting, and ends', async (t) => {
  const folder = socketFolder(t);
  const socket = join(folder, 'p.sock');
  const server = start(t, folder, ['--linger', '1']);
  await eventually('the socket is there', PATIENCE_MS, () => existsSync(socket));
  const peer = new KongPeer(socket);
  const starting = peer.start('pid');
  // Most of the worker's start is still to come: nobody in it listens for the end of its primary.
  await server.stop('SIGKILL');
  const id = (await starting) as number;
  assert.equal((await peer.event(id)).end, 'returned', server.log);
  // Longer than it lingers, as long as it is used.
  const usedAt = performance.now();
  while (performance.now() - usedAt < 1500) assert.equal((await peer.event(id)).end, 'returned', server.log);
  peer.close();
  await eventually('it has ended', PATIENCE_MS, () => server.all().length === 0);
  assert.deepEqual(readdirSync(folder), ['plugins']);
});

test('a server whose Kong is gone ends, and does not spin at a closed standard error', async (t) => {
  const folder = socketFolder(t);
  const socket = join(folder, 'p.sock');
  const server = start(t, folder, ['--linger', '1', '-v']);
  await server.said(/server started at path/);
  const [worker] = server.workers();
  server.child.stderr?.destroy();
  server.child.stdout?.destroy();
  const peer = new KongPeer(socket);
  const id = (await peer.start('pid')) as number;
  for (let n = 0; n < 5; n++) await peer.start('pid');
  assert.equal((await peer.event(id)).end, 'returned', 'it lives without its output');
  server.child.kill('SIGKILL');
  assert.equal((await peer.event(id)).end, 'returned', 'so does its worker without its primary');
  peer.close();
  await eventually(
    'the worker has ended',
    PATIENCE_MS,
    () => describeProcess(worker as number) === undefined,
  );
});
