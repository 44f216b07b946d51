import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RpcError } from '../../../src/gateway/rpc/errors.js';
import { Instances } from '../../../src/gateway/rpc/instances.js';

const PLUGIN = { name: 'first', key: 'k', config: {} } as never;

test('whoever waits for a claim that was left gets the id of a start that had begun before it', async () => {
  let answer: (id: number) => void = () => {};
  const left: string[] = [];
  const starts = [
    new Promise<number>((resolve) => {
      answer = resolve;
    }),
    Promise.reject(new RpcError('SEND_FAILED', 'write EPIPE')),
  ];
  const commands = {
    start: () => starts.shift() as Promise<number>,
    close: async () => {},
    leftClaim: ({ name }: { name: string }) => left.push(name),
  };
  const instances = new Instances(commands, 60_000);
  const first = instances.idFor(PLUGIN);
  instances.forget('first');
  await assert.rejects(instances.idFor(PLUGIN), { code: 'SEND_FAILED' });
  assert.deepEqual(left, ['first']);
  const waiting = instances.idFor(PLUGIN);
  answer(7);
  assert.equal(await first, 7);
  assert.equal(await waiting, 7);
});
