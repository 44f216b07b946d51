import { unlinkSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { corpus } from '../fuzz/corpus.js';
import { mutate } from '../fuzz/mutate.js';
import type { Postgres } from '../src/dev/postgres.js';
import { signalProcess } from '../src/dev/processes.js';
import type { FaultRig } from '../test/faults/rig.js';
import { KongPeer } from '../test/support/kong-peer.js';
import { killPostgres } from '../test/support/postgres.js';
import type { RedisServer } from '../test/support/redis.js';

/** What there is to be harmed. */
export interface World {
  readonly rig: FaultRig;
  readonly postgres: Postgres;
  /** Absent where redis-server is not installed. */
  readonly redis: RedisServer | undefined;
  /** Paths whose plugin fails; none of them may answer with success. */
  readonly faultyPaths: readonly string[];
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Does some harm, and undoes it where the server is not to get over it by itself. */
export type Fault = (world: World) => Promise<void>;

const between = (world: World, least: number, most: number) => least + world.random() * (most - least);

/** Of the plugin server's process and its socket: one at a time. */
export const PROCESS_FAULTS: Record<string, Fault> = {
  async 'a worker is killed'({ rig, random }) {
    const workers = rig.server.workers();
    const victim = workers[Math.floor(random() * workers.length)];
    if (victim !== undefined) signalProcess(victim, 'SIGKILL');
  },
  async 'every worker is killed'({ rig }) {
    for (const victim of rig.server.workers()) signalProcess(victim, 'SIGKILL');
  },
  async 'the server is killed'({ rig }) {
    await restarted(rig, 'SIGKILL');
  },
  async 'the server is told to stop'({ rig }) {
    await restarted(rig, 'SIGTERM');
  },
  async 'the server stands still'(world) {
    const pids = [world.rig.server.pid, ...world.rig.server.workers()];
    for (const pid of pids) signalProcess(pid, 'SIGSTOP');
    await sleep(between(world, 100, 3000));
    for (const pid of pids) signalProcess(pid, 'SIGCONT');
  },
  async 'a worker stands still'(world) {
    const [pid] = world.rig.server.workers();
    if (pid === undefined) return;
    signalProcess(pid, 'SIGSTOP');
    await sleep(between(world, 100, 3000));
    signalProcess(pid, 'SIGCONT');
  },
  async 'the socket is removed'({ rig }) {
    unlinkSync(rig.socketPath);
  },
  async reload(world) {
    const { rig } = world;
    await rig.reload(between(world, 0, 3000));
  },
};

/** Of everything around the process: may come together with one of the others. */
export const OUTER_FAULTS: Record<string, Fault> = {
  async 'PostgreSQL is killed'({ postgres }) {
    await killPostgres(postgres);
    await postgres.start();
  },
  async 'PostgreSQL stands still'(world) {
    await world.postgres.pause();
    await sleep(between(world, 100, 4000));
    await world.postgres.resume();
  },
  async 'PostgreSQL is stopped for a while'(world) {
    await world.postgres.stop();
    await sleep(between(world, 0, 3000));
    await world.postgres.start();
  },
  async 'Redis is killed'({ redis }) {
    await redis?.stop('SIGKILL');
    await redis?.start();
  },
  async 'Redis stands still'(world) {
    world.redis?.pause();
    await sleep(between(world, 100, 3000));
    world.redis?.resume();
  },
  async 'bad bytes'({ rig, random }) {
    const recorded = [...corpus('protobuf'), ...corpus('msgpack')];
    for (let round = 0; round < 20; round++) {
      const inputs = Array.from({ length: 50 }, () => mutate(recorded, random));
      await Promise.all(inputs.map((bytes) => sent(rig.socketPath, bytes, 20)));
    }
  },
  async 'half a frame on 500 connections'({ rig }) {
    const half = Buffer.from([200, 0, 0, 0, 1, 2, 3]);
    await Promise.all(Array.from({ length: 500 }, () => sent(rig.socketPath, half, 2000)));
  },
  async 'a flood of made-up customers'({ rig, random }) {
    const until = performance.now() + 2000;
    const flooding = async () => {
      while (performance.now() < until) {
        const target = rig.targets[Math.floor(random() * rig.targets.length)] as { port: number };
        await get(target.port, '/', { 'client-certificate-id': `nobody-${random()}`, ...GUESS });
      }
    };
    await Promise.all(Array.from({ length: 8 }, flooding));
  },
  async 'changes of the configuration'({ rig }) {
    const peer = new KongPeer(rig.socketPath);
    for (let n = 0; n < 300; n++) {
      const id = await peer.start('customer-verification', { message: `change ${n}` });
      // Cut off by another fault.
      if (id === undefined) break;
      await peer.command({ cmd_close_instance: { instance_id: id } });
    }
    peer.close();
  },
  async 'a plugin that fails'({ rig, faultyPaths, random }) {
    const path = faultyPaths[Math.floor(random() * faultyPaths.length)] as string;
    for (const { name, port } of rig.targets) {
      const status = await get(port, path, {});
      if (status < 400) throw new Error(`${path} was answered with ${status} over ${name}`);
    }
  },
};

const GUESS = { 'client-request-signature': '0'.repeat(64), 'client-request-time': '1700000000' };

async function restarted(rig: FaultRig, signal: NodeJS.Signals): Promise<void> {
  const { starts, pid } = rig.server;
  signalProcess(pid, signal);
  await rig.server.serving(starts + 1);
}

/** Sends bytes, holds the connection for a while unless the server ends it, and hangs up. */
function sent(path: string, bytes: Buffer, holdMs: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    socket.write(bytes);
    setTimeout(() => socket.destroy(), holdMs);
  });
}

function get(port: number, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get(
        { port, host: '127.0.0.1', path, agent: false, headers: { 'x-kind': 'forged', ...headers } },
        (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        },
      )
      .on('error', reject);
  });
}
