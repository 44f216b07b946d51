import assert from 'node:assert/strict';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Postgres } from '../../src/dev/postgres.js';
import { definePlugin } from '../../src/plugin/define.js';
import * as faulty from '../fixtures/faulty-plugins/faulty.js';
import { eventually } from '../plugins/customer-verification/rig.js';
import { full } from '../support/full.js';
import { FaultRig, startCustomers } from './rig.js';

const DIRECTORY = join(import.meta.dirname, '../fixtures/faulty-plugins');
const PATIENCE_MS = 30_000;
const DEADLINE_MS = 1000;
const AT_ONCE = full ? 3 : 2;

/** A fault, and what the client gets over ProtoBuf:1; over MsgPack:1 the guard refuses what fails. */
const FAULTS: [fault: string, status: number][] = [
  ['throws', 500],
  ['throws no error', 500],
  ['rejects late', 401],
  ['never settles', 500],
  ['waits for ever for Kong, too', 500],
  ['blocks the loop', 401],
  ['calls after its end', 401],
  ['exits twice', 401],
  ['throws in an exit', 500],
  ['calls what there is not', 500],
  ['refuses to start', 500],
];

const pathOf = (fault: string) => `/${fault.replaceAll(/\W+/g, '-')}`;

interface Reply {
  readonly status: number;
  readonly body: string;
}

function get(port: number, path: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path, agent: false, headers: { 'x-kind': 'forged' } }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
      .on('error', reject);
  });
}

/** Faults of a plugin, in the same process as customer-verification under its load. */
describe('a plugin that', () => {
  let postgres: Postgres;
  let rig: FaultRig;
  const upstreamHeaders: http.IncomingHttpHeaders[] = [];

  before(async () => {
    postgres = await startCustomers();
    rig = await FaultRig.start({
      directory: DIRECTORY,
      claimTimeoutMs: 1000,
      args: ['--workers', '2'],
      node: ['--max-old-space-size=64'],
      env: { ...postgres.env, KONG_TS_EVENT_DEADLINE_MS: String(DEADLINE_MS) },
      extra: {
        plugin: definePlugin({ ...faulty, schema: faulty.Schema, name: 'faulty' }),
        routes: Object.fromEntries(
          [...FAULTS.map(([fault]) => fault), 'dies half way', 'eats memory'].map((fault) => [
            pathOf(fault),
            { fault, file: join(postgres.dataFolder, '..', 'died') },
          ]),
        ),
      },
      onUpstream: (headers) => {
        if (headers['x-added'] !== undefined) upstreamHeaders.push(headers);
      },
    });
  });
  after(async () => {
    await rig.stop();
    await postgres.dispose();
  });

  const ask = (target: string, fault: string) => {
    const { port } = rig.targets.find(({ name }) => name === target) as { port: number };
    return get(port, pathOf(fault));
  };

  for (const [fault, status] of FAULTS) {
    it(`${fault}: ${status}, and nothing else is touched`, async () => {
      const startedAt = performance.now();
      for (const target of ['protobuf', 'msgpack']) {
        const replies = await Promise.all(Array.from({ length: AT_ONCE }, () => ask(target, fault)));
        for (const reply of replies) {
          assert.equal(reply.status, status, `${target}: ${reply.body}`);
          assert.doesNotMatch(reply.body, /upstream|faulty/);
        }
      }
      await rig.load.progress(5);
      assert.deepEqual(rig.load.wrong(startedAt), [], rig.load.summary(startedAt));
      assert.equal(rig.server.starts, 1);
    });
  }

  it('says in the log what went wrong', async () => {
    for (const line of [
      /faulty #\d+: access threw: Error: thrown by faulty/,
      /rejected late by faulty/,
      /faulty #\d+: access: no end after 1000 ms/,
      /plugin "faulty": not this one/,
    ]) {
      await eventually(`a line ${line}`, PATIENCE_MS, () => line.test(rig.server.output));
    }
  });

  it('dies half way: the retry on the other worker carries the first try’s effects', async () => {
    const reply = await ask('protobuf', 'dies half way');
    assert.deepEqual(reply, { status: 200, body: 'upstream' });
    rig.reached.forged = (rig.reached.forged as number) - 1;
    const [headers, ...more] = upstreamHeaders;
    assert.deepEqual(more, []);
    // Kong keeps what the first try did: a header that is set is there once, one that is added is there twice.
    assert.equal(headers?.['x-set'], 'once');
    assert.equal(headers?.['x-added'], 'once more, once more');
    await eventually('both workers', PATIENCE_MS, () => rig.server.workers().length === 2);
  });

  it('eats memory: its worker dies of it and is replaced', async (t) => {
    const faultAt = performance.now();
    const { status } = await ask('msgpack', 'eats memory');
    assert.equal(status, 503);
    await eventually('it ended', PATIENCE_MS, () =>
      /worker \d+ \(pid \d+\) ended by .*; another/.test(rig.server.output),
    );
    await eventually('both workers', PATIENCE_MS, () => rig.server.workers().length === 2);
    t.diagnostic(`recovered ${Math.round(await rig.load.recovered(faultAt))} ms after the fault`);
    await rig.settle(performance.now());
    assert.equal(rig.server.starts, 1);
  });
});
