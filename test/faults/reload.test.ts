import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Postgres } from '../../src/dev/postgres.js';
import { full } from '../support/full.js';
import { FaultRig, startCustomers } from './rig.js';

/** Opens connections one after the other until `stop`; how many could be opened, and why others could not. */
function probe(path: string): { stop(): Promise<{ opened: number; refusals: string[] }> } {
  const result = { opened: 0, refusals: [] as string[] };
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      await new Promise<void>((resolve) => {
        const socket = connect(path, () => {
          result.opened++;
          socket.destroy();
          setTimeout(resolve, 10);
        });
        socket.on('error', ({ message }) => {
          result.refusals.push(message);
          resolve();
        });
      });
    }
    return result;
  };
  const running = run();
  return {
    stop() {
      stopped = true;
      return running;
    },
  };
}

/** The time that a new server takes until it serves, and somewhat more: the old one may be ended at any of it. */
const START_MS = full ? 1500 : 800;
/** Kong's old worker leaves when its 10 s read of the server's output runs out, at whatever moment of the new one's life. */
const LONGEST_MS = 10_000;

/** Half of them fall into the start of the new server. */
const moment = (n: number) => Math.random() * (full && n % 2 === 1 ? LONGEST_MS : START_MS);

/** A claim that is left behind costs 10 s. A machine that runs other tests as well is slow by itself. */
const SLOW_MS = full ? 1000 : 5000;

describe('kong reload', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startCustomers();
  });
  after(() => postgres.dispose());

  for (const [workers, times] of [
    ['1', full ? 50 : 3],
    ['2', full ? 50 : 3],
  ] as const) {
    it(`${times} times under load, with --workers ${workers}: no request fails over ProtoBuf:1`, async (t) => {
      const rig = await FaultRig.start({ args: ['--workers', workers], env: postgres.env, clients: 4 });
      t.after(() => rig.stop());
      const startedAt = performance.now();
      const probing = probe(rig.socketPath);
      for (let n = 0; n < times; n++) await rig.reload(moment(n));
      const { opened, refusals } = await probing.stop();
      assert.deepEqual(refusals, [], 'the path was missing or dead');
      assert.ok(opened > times * 3);
      const failed = rig.errors.filter((line) => line.startsWith('protobuf'));
      assert.deepEqual(rig.load.wrong(startedAt, 'protobuf'), [], failed.join('\n'));
      // Over MsgPack:1 Kong does not try again, and the guard refuses what the old server did not finish.
      const refused = rig.load.wrong(startedAt, 'msgpack');
      for (const { status } of refused) assert.ok(status === 503 || status === 500, String(status));
      const slow = rig.load.answers.filter(({ sentAt, at }) => sentAt >= startedAt && at - sentAt > SLOW_MS);
      const slowest = rig.load.answers.reduce((most, { sentAt, at }) => Math.max(most, at - sentAt), 0);
      t.diagnostic(
        `${rig.load.answers.length} requests; over MsgPack:1 ${refused.length} failed; the slowest took ${Math.round(slowest)} ms`,
      );
      assert.ok(refused.length <= times * 4, `${refused.length} failed over MsgPack:1`);
      assert.deepEqual(slow, []);
      await rig.load.recovered(performance.now());
      await rig.settle(performance.now());
      assert.deepEqual(readdirSync(rig.folder), ['p.sock']);
    });
  }
});
