import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Postgres } from '../../src/dev/postgres.js';
import { signalProcess } from '../../src/dev/processes.js';
import { eventually } from '../plugins/customer-verification/rig.js';
import { full } from '../support/full.js';
import type { Answer } from './load.js';
import { CLIENTS, FaultRig, type FaultRigOptions, SOME_ANSWERS, startCustomers } from './rig.js';

const PATIENCE_MS = 60_000;
const KILLS = full ? 200 : 6;
const BETWEEN_KILLS_MS = full ? 2000 : 300;
const STANDSTILL_MS = full ? 3000 : 1000;
/** A machine that runs other tests as well is slow by itself. */
const SLOW_MS = full ? 1000 : 5000;
/** How long Kong's requests wait for a claim that was left behind. */
const CLAIM_MS = 10_000;
/** Until the gateway has noticed the end of every connection of a worker that was killed. */
const NOTICED_MS = full ? 500 : 3000;

const took = ({ sentAt, at }: Answer) => at - sentAt;

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
    for (let round = 0; round < (full ? 5 : 1); round++) {
      await rig.load.progress(SOME_ANSWERS);
      const faultAt = performance.now();
      const [victim] = rig.server.workers();
      process.kill(victim as number, 'SIGKILL');
      await eventually('it is replaced', PATIENCE_MS, () => {
        const workers = rig.server.workers();
        return workers.length === 2 && !workers.includes(victim as number);
      });
      await rig.load.progress(SOME_ANSWERS);
      // Each of the four clients has one request under way at most.
      const failed = rig.load.wrong(faultAt - 1000, 'protobuf').filter(({ at }) => at >= faultAt);
      assert.ok(failed.length <= 4, rig.load.summary(faultAt));
      for (const { status } of failed) assert.equal(status, 500);
    }
    await rig.settle(performance.now());
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`it is ended by ${signal} and started again: its workers serve meanwhile`, async (t) => {
      const rig = await start(t, { args: ['--workers', signal === 'SIGKILL' ? '1' : '2'] });
      const faultAt = performance.now();
      process.kill(rig.server.pid, signal);
      await rig.server.serving(2);
      await rig.load.progress(SOME_ANSWERS);
      assert.deepEqual(rig.load.wrong(faultAt, 'protobuf'), [], rig.errors.join('\n'));
      // Over MsgPack:1 those that were under way when the new one took over: one of each client at most.
      assert.ok(rig.load.wrong(faultAt, 'msgpack').length <= 4, rig.load.summary(faultAt));
      await rig.settle(await recovery(t, rig, faultAt));
    });
  }

  it(`primary and workers are killed at random moments, ${KILLS} times`, async (t) => {
    const rig = await start(t, { args: ['--workers', '2'] });
    const killedAt: number[] = [];
    const faultAt = performance.now();
    for (let round = 0; round < KILLS; round++) {
      const what = ['primary', 'worker', 'both'][round % 3] as string;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * BETWEEN_KILLS_MS));
      const { starts } = rig.server;
      const workers = rig.server.workers();
      if (what !== 'worker') process.kill(rig.server.pid, 'SIGKILL');
      if (what === 'both') await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      if (what !== 'primary') {
        killedAt.push(performance.now());
        signalProcess(workers[round % workers.length] as number, 'SIGKILL');
      }
      if (what !== 'worker') await rig.server.serving(starts + 1);
      await eventually('two workers', PATIENCE_MS, () => rig.server.workers().length === 2);
    }
    await rig.load.progress(SOME_ANSWERS);
    // test/server/killed.test.ts shows how the end of a worker leaves a claim, for which Kong's requests wait 10 s; the
    // end of a primary leaves none.
    for (const claim of rig.claims) {
      assert.ok(
        killedAt.some((at) => claim >= at && claim - at < NOTICED_MS),
        'a claim was left behind by no kill of a worker',
      );
    }
    const waitedFor = (answer: Answer) =>
      rig.claims.some((claim) => claim < answer.at && answer.sentAt < claim + CLAIM_MS);
    const answers = rig.load.answers.filter(({ sentAt }) => sentAt >= faultAt);
    const slow = answers.filter((answer) => took(answer) > SLOW_MS && !waitedFor(answer));
    const failed = rig.load.wrong(faultAt, 'protobuf').filter((answer) => !waitedFor(answer));
    const slowest = answers
      .filter((answer) => !waitedFor(answer))
      .reduce((most, a) => Math.max(most, took(a)), 0);
    t.diagnostic(
      `${answers.length} requests, ${failed.length} failed over ProtoBuf:1 with the ${killedAt.length} workers that were killed; ` +
        `${rig.claims.length} claims were left behind; of all others the slowest took ${Math.round(slowest)} ms`,
    );
    assert.ok(failed.length <= killedAt.length * CLIENTS, 'more than was under way');
    assert.deepEqual(slow, []);
    assert.deepEqual(rig.load.letThrough, []);
    await rig.settle(await recovery(t, rig, performance.now()));
  });

  it(`it stands still for ${STANDSTILL_MS / 1000} s: requests wait`, async (t) => {
    const rig = await start(t);
    const faultAt = performance.now();
    const all = [rig.server.pid, ...rig.server.workers()];
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    const answered = rig.load.answers.length;
    await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS));
    assert.ok(rig.load.answers.length - answered <= 16, 'somebody else answers');
    for (const pid of all) process.kill(pid, 'SIGCONT');
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
    // Workers of the killed server serve on until the new one is there: it takes over under traffic.
    await rig.settle(await recovery(t, rig, faultAt), CLIENTS);
  });

  it('1,100 idle or slow connections, with 1,024 descriptors: good requests go on', async (t) => {
    const rig = await start(t, { files: 1024 });
    const faultAt = performance.now();
    let closed = 0;
    const others = Array.from({ length: 1100 }, (_, n) => {
      const socket = connect(rig.socketPath).on('error', () => {});
      // Half of them send the beginning of a frame.
      if (n % 2 === 0) socket.write(Buffer.from([200, 0, 0, 0, 1]));
      return socket.on('close', () => closed++);
    });
    t.after(() => {
      for (const socket of others) socket.destroy();
    });
    await eventually('some have to make room', PATIENCE_MS, () => closed >= 1100 - 1024);
    await rig.load.progress(SOME_ANSWERS);
    assert.deepEqual(rig.load.wrong(faultAt), [], rig.errors.join('\n'));
    await rig.settle(faultAt);
    assert.equal(rig.server.starts, 1, 'it ended');
  });
});
