import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CliProcess } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { socketFolder } from '../support/serving.js';

const PLUGIN = `
export const Schema = [{ message: { type: 'string' } }];
export const version = '1.0.0';
export const priority = 1;
export class Plugin {
  constructor(config) {
    if (config.message === 'refuse') throw new Error('message is not to be "refuse"');
    this.config = config;
  }
  async access(kong) {
    kong.response.setHeader('x-pid', process.pid + ' ' + this.config.message);
  }
}
`;

interface Running {
  process: CliProcess;
  socket: string;
  peer(): KongPeer;
}

async function start(t: TestContext, args: string[]): Promise<Running> {
  const folder = socketFolder(t);
  mkdirSync(join(folder, 'plugins'));
  writeFileSync(join(folder, 'plugins', 'pid.mjs'), PLUGIN);
  const socket = join(folder, 'p.sock');
  const process = new CliProcess(['-d', join(folder, 'plugins'), '--socket', socket, '-v', ...args]);
  const peers: KongPeer[] = [];
  t.after(async () => {
    for (const peer of peers) peer.close();
    await process.kill();
  });
  await process.said(/server started at path/);
  return {
    process,
    socket,
    peer() {
      const peer = new KongPeer(socket);
      peers.push(peer);
      return peer;
    },
  };
}

async function header(peer: KongPeer, id: number): Promise<{ pid: number; message: string } | undefined> {
  const { calls } = await peer.event(id);
  const value = (calls[0]?.args as { v: string } | undefined)?.v;
  return value === undefined
    ? undefined
    : { pid: Number(value.split(' ')[0]), message: value.split(' ')[1] as string };
}

test('workers share instances; one that is killed is replaced and takes nothing else with it', async (t) => {
  const running = await start(t, ['--workers', '2', '--metrics', '127.0.0.1:0']);
  const first = running.peer();
  const id = (await first.start('pid', { message: 'one' })) as number;

  // Connections go to whichever worker takes them first: open some until both have been met, all with one instance.
  const met = new Map<number, KongPeer>();
  for (let i = 0; met.size < 2; i++) {
    assert.ok(i < 500, 'one worker takes every connection');
    const peers = Array.from({ length: 8 }, () => running.peer());
    for (const [index, answer] of (await Promise.all(peers.map((peer) => header(peer, id)))).entries()) {
      assert.equal(answer?.message, 'one');
      met.set((answer as { pid: number }).pid, peers[index] as KongPeer);
    }
  }

  const [[victim], [survivor, connection]] = [...met] as [[number, KongPeer], [number, KongPeer]];
  process.kill(victim, 'SIGKILL');
  await running.process.said(/ended by SIGKILL; another one takes its place/);
  assert.equal((await header(connection, id))?.pid, survivor);
  for (let i = 0; i < 50; i++) {
    const fresh = await header(running.peer(), id);
    assert.equal(fresh?.message, 'one');
  }

  const refusing = (await running.peer().start('pid', { message: 'refuse' })) as number;
  for (let i = 0; i < 4; i++) assert.equal((await running.peer().event(refusing)).end, 'exit');
  const port = (/metrics at http:\/\/127\.0\.0\.1:(\d+)/.exec(running.process.log) as RegExpExecArray)[1];
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.match(metrics, /^kong_ts_events_total\{plugin="pid",phase="access",outcome="done"\} \d+$/m);
  assert.match(metrics, /^kong_ts_instances 2$/m);
  assert.match(metrics, /^kong_ts_worker_restarts_total 1$/m);

  assert.equal((await running.process.stop('SIGINT')).code, 0);
  // Signals take effect a moment later; a worker that stayed would hold this test up until its timeout.
  while (isRunning(survivor)) await new Promise((resolve) => setImmediate(resolve));
});

test('a restarted server refuses the ids of the one before', async (t) => {
  const running = await start(t, []);
  const id = (await running.peer().start('pid', { message: 'one' })) as number;
  await running.process.stop('SIGKILL');
  const again = new CliProcess(['-d', join(running.socket, '..', 'plugins'), '--socket', running.socket]);
  t.after(() => again.kill());
  await again.said(/server started/);
  const peer = running.peer();
  const next = (await peer.start('pid', { message: 'two' })) as number;
  assert.notEqual(next, id);
  assert.equal((await peer.event(id)).end, 'closed');
  assert.equal((await header(running.peer(), next))?.message, 'two');
});

/** False also for what is dead and has only not been reaped by the system yet. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('connections that are opened at once are shared out between workers', async (t) => {
  const running = await start(t, ['--workers', '2']);
  const id = (await running.peer().start('pid', { message: 'one' })) as number;
  // Kong's side: a process of its own, so that the workers find all of the connections waiting.
  const peers = Array.from({ length: 64 }, () => running.peer());
  const taken = new Map<number, number>();
  for (const answer of await Promise.all(peers.map((peer) => header(peer, id)))) {
    const { pid } = answer as { pid: number };
    taken.set(pid, (taken.get(pid) ?? 0) + 1);
  }
  const shares = [...taken.values()];
  assert.equal(shares.length, 2, `all went to one worker`);
  // 40 to 60 % on a machine of its own; tests share theirs.
  assert.ok(Math.min(...shares) >= 16, `shares of ${shares.join(' and ')}`);
});
