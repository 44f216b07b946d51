import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '../fuzz/mutate.js';
import { definePlugin } from '../src/plugin/define.js';
import { FaultRig, startCustomers } from '../test/faults/rig.js';
import * as faulty from '../test/fixtures/faulty-plugins/faulty.js';
import { signed } from '../test/plugins/customer-verification/rig.js';
import { RedisServer, redisLeftOut } from '../test/support/redis.js';
import { type Fault, OUTER_FAULTS, PROCESS_FAULTS, type World } from './faults.js';

const USAGE = `Usage: npm run soak -- [--minutes N] [--seed N]

Good and forged requests all the time, over both protocols, and faults at random meanwhile. After each: good requests
are let through again and none of them is refused; forged ones never reached the upstream. The seed brings the same
faults in the same order.
`;

/** Of test/fixtures/faulty-plugins/faulty.ts: those that leave nothing behind. */
const FAULTY = ['throws', 'rejects late', 'never settles', 'blocks the loop', 'calls after its end'];
const FAULTY_PLUGINS = join(import.meta.dirname, '../test/fixtures/faulty-plugins');

async function open(random: () => number): Promise<World & { close(): Promise<void> }> {
  const postgres = await startCustomers();
  const redis = redisLeftOut === false ? await RedisServer.create() : undefined;
  const replay = redis && { clock_skew: 300, replay_protection: true, replay_store: 'redis' };
  let time = Date.now();
  const rig = await FaultRig.start({
    directory: FAULTY_PLUGINS,
    args: ['--workers', random() < 0.3 ? '1' : '2'],
    env: {
      ...postgres.env,
      KONG_TS_EVENT_DEADLINE_MS: '1000',
      ...(redis && { REDIS_URL: redis.url }),
    },
    config: { cache_ttl: 1, negative_cache_ttl: 1, stale_ttl: 0, ...replay },
    clients: 2,
    extra: {
      plugin: definePlugin({ ...faulty, schema: faulty.Schema, name: 'faulty' }),
      routes: Object.fromEntries(FAULTY.map((fault, n) => [`/faulty-${n}`, { fault }])),
    },
    headers(kind, number) {
      // Different ones, so that none is a replay.
      time = Math.max(time + 1, Date.now());
      const key = kind === 'good' ? `k${number % 40}` : 'guessed';
      return Object.fromEntries(signed(`c${number % 40}`, key, String(time)));
    },
  });
  return {
    rig,
    postgres,
    redis,
    random,
    faultyPaths: FAULTY.map((_, n) => `/faulty-${n}`),
    async close() {
      await rig.stop();
      await redis?.dispose();
      await postgres.dispose();
    },
  };
}

async function soak(minutes: number, seed: number): Promise<void> {
  const random = seeded(seed);
  const pick = (faults: Record<string, Fault>) => {
    const names = Object.keys(faults);
    return names[Math.floor(random() * names.length)] as string;
  };
  const world = await open(random);
  const { rig } = world;
  const until = performance.now() + minutes * 60_000;
  let rounds = 0;
  let requests = 0;
  let slowest = 0;
  try {
    while (performance.now() < until) {
      const names = [
        ...(random() < 0.7 ? [pick(PROCESS_FAULTS)] : []),
        ...(random() < 0.7 ? [pick(OUTER_FAULTS)] : []),
      ];
      await Promise.all(names.map((name) => (PROCESS_FAULTS[name] ?? OUTER_FAULTS[name])?.(world)));
      const recoveryMs = await rig.assertHealed(20);
      rounds++;
      requests += rig.load.answers.length;
      slowest = Math.max(slowest, recoveryMs);
      rig.load.forget();
      process.stdout.write(`${names.join(' + ') || 'nothing'}: ${Math.round(recoveryMs)} ms\n`);
    }
    await rig.load.stop();
    process.stdout.write(
      `seed ${seed}: ${rounds} rounds, ${requests} requests, ${rig.server.starts} starts of the server, ` +
        `forged at the upstream: ${rig.reached.forged}, slowest recovery ${Math.round(slowest)} ms\n`,
    );
  } catch (error) {
    process.stdout.write(
      `seed ${seed}, round ${rounds}; the server's last lines:\n${rig.server.output.slice(-4000)}\n`,
    );
    throw error;
  } finally {
    await world.close();
  }
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) process.stdout.write(USAGE);
else await soak(Number(values.minutes), Number(values.seed ?? Date.now() % 2 ** 31));
