import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Postgres } from '../../src/dev/postgres.js';
import { eventually } from '../plugins/customer-verification/rig.js';
import { full } from '../support/full.js';
import { FaultRig, type FaultRigOptions, startCustomers } from './rig.js';

const PATIENCE_MS = 60_000;

/** Faults of the plugin server's process and of its socket, each under a steady load of good and forged requests. */
describe('the plugin server', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startCustomers();
  });
  after(() => postgres.dispose());

  const start = async (t: TestContext, options: FaultRigOptions = {}) => {
    const rig = await FaultRig.start({ ...options, env: { ...postgres.env, ...options.env } });
    t.after(() => rig.stop());
    return rig;
  };
  /** Kills the server in a way, waits for its successor, and says how long that took. */
  const recovery = async (t: TestContext, rig: FaultRig, faultAt: number) => {
    const ms = await rig.load.recovered(faultAt);
    t.diagnostic(`recovered ${Math.round(ms)} ms after the fault`);
    return performance.now();
  };

  it('a worker is killed: only what it had not read fails, and another one takes over', async (t) => {
    const rig = await start(t, { args: ['--workers', '2'] });
    for (let round = 0; round < (full ? 5 : 2); round++) {
      await rig.load.progress(20);
      const faultAt = performance.now();
      const [victim] = rig.server.workers();
      process.kill(victim as number, 'SIGKILL');
      await eventually('it is replaced', PATIENCE_MS, () => {
        const workers = rig.server.workers();
        return workers.length === 2 && !workers.includes(victim as number);
      });
      await rig.load.progress(20);
      // Each of the four clients has one request under way at most.
      const failed = rig.load.wrong(faultAt - 1000, 'protobuf').filter(({ at }) => at >= faultAt);
      assert.ok(failed.length <= 4, rig.load.summary(faultAt));
      for (const { status } of failed) assert.equal(status, 500);
    }
    await rig.settle(performance.now());
  });

  it('it is killed and started again', async (t) => {
    const rig = await start(t);
    const faultAt = performance.now();
    process.kill(rig.server.pid, 'SIGKILL');
    await eventually('the kill was felt', PATIENCE_MS, () => rig.load.wrong(faultAt, 'protobuf').length > 0);
    await rig.server.serving(2);
    await rig.settle(await recovery(t, rig, faultAt));
  });

  it('it is told to stop in the middle of events, and started again', async (t) => {
    const rig = await start(t, { args: ['--workers', '2'] });
    const faultAt = performance.now();
    process.kill(rig.server.pid, 'SIGTERM');
    await rig.server.serving(2);
    await rig.settle(await recovery(t, rig, faultAt));
  });

  it('it stands still for 3 s: requests wait', async (t) => {
    const rig = await start(t);
    const faultAt = performance.now();
    process.kill(rig.server.pid, 'SIGSTOP');
    const answered = rig.load.answers.length;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.ok(rig.load.answers.length - answered <= 16, 'somebody else answers');
    process.kill(rig.server.pid, 'SIGCONT');
    await rig.settle(await recovery(t, rig, faultAt));
    assert.equal(rig.server.starts, 1);
  });

  for (const workers of ['1', '2']) {
    it(`the socket's file is removed, with --workers ${workers}`, async (t) => {
      const rig = await start(t, { args: ['--workers', workers] });
      const faultAt = performance.now();
      unlinkSync(rig.socketPath);
      // Connections that are there go on; a rejection ends one, and a new one cannot be opened.
      await eventually('it was felt', PATIENCE_MS, () => rig.load.wrong(faultAt).length > 0);
      await rig.settle(await recovery(t, rig, faultAt));
      assert.equal(rig.server.starts, 1);
      assert.match(rig.server.output, /had been removed and was made anew/);
    });
  }

  it('it cannot bind the socket when it is started again, until it can', async (t) => {
    const rig = await start(t);
    const faultAt = performance.now();
    // What root cannot write to either: a file where the folder was.
    renameSync(rig.folder, `${rig.folder}.away`);
    writeFileSync(rig.folder, '');
    t.after(() => rmSync(`${rig.folder}.away`, { recursive: true, force: true }));
    process.kill(rig.server.pid, 'SIGKILL');
    await eventually('two starts fail', PATIENCE_MS, () => rig.server.starts >= 3);
    assert.match(rig.server.output, /cannot listen on .*p\.sock: /);
    assert.ok(rig.load.wrong(faultAt).length > 0);
    rmSync(rig.folder);
    mkdirSync(rig.folder);
    await rig.settle(await recovery(t, rig, faultAt));
  });

  it('it is out of file descriptors', async (t) => {
    const rig = await start(t, { files: 64 });
    const faultAt = performance.now();
    let refused = 0;
    const idle = Array.from({ length: 200 }, () => connect(rig.socketPath).on('error', () => {}));
    for (const socket of idle) socket.on('close', () => refused++);
    t.after(() => {
      for (const socket of idle) socket.destroy();
    });
    await eventually('most cannot be accepted', PATIENCE_MS, () => refused > 120);
    await rig.load.progress(10);
    for (const socket of idle) socket.destroy();
    await rig.settle(await recovery(t, rig, faultAt));
    assert.equal(rig.server.starts, 1, 'it ended');
  });
});
