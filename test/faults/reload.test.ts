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

describe('kong reload', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startCustomers();
  });
  after(() => postgres.dispose());

  for (const [workers, times] of [
    ['1', full ? 50 : 12],
    ['2', full ? 10 : 3],
  ] as const) {
    it(`${times} times under load, with --workers ${workers}: no request fails over ProtoBuf:1`, async (t) => {
      const rig = await FaultRig.start({ args: ['--workers', workers], env: postgres.env, clients: 2 });
      t.after(() => rig.stop());
      const startedAt = performance.now();
      const probing = probe(rig.socketPath);
      for (let n = 0; n < times; n++) await rig.server.reload();
      const { opened, refusals } = await probing.stop();
      assert.deepEqual(refusals, [], 'the path was missing or dead');
      assert.ok(opened > times * 5);
      assert.deepEqual(readdirSync(rig.folder), ['p.sock']);
      // Over MsgPack:1 Kong does not try again, and the guard refuses what the old server did not finish.
      const failed = rig.errors.filter((line) => line.startsWith('protobuf'));
      assert.deepEqual(rig.load.wrong(startedAt, 'protobuf'), [], failed.join('\n'));
      const refused = rig.load.wrong(startedAt, 'msgpack');
      for (const { status } of refused) assert.ok(status === 503 || status === 500, String(status));
      t.diagnostic(`${rig.load.answers.length} requests; over MsgPack:1 ${refused.length} failed`);
      await rig.load.recovered(performance.now());
      await rig.settle(performance.now());
    });
  }
});
