import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kong } from '../../src/pdk/types.js';
import type { Answers, ReceivedCall } from '../support/kong-peer.js';
import { serving } from '../support/serving.js';

const GRPC: Answers = {
  'kong.request.get_header': { v: 'application/grpc' },
  'kong.request.get_http_version': { v: 2 },
};
const CASES: [string, (kong: Kong) => unknown, Answers, { status: number; body: string; headers: object }][] =
  [
    [
      'exit with an object: its message, and no content type, of which Kong makes grpc-message',
      (kong) => kong.response.exit(403, { message: 'no' }, { 'x-a': '1' }),
      GRPC,
      { status: 403, body: 'no', headers: { 'x-a': '1' } },
    ],
    [
      'exit with an object that has no message: no body',
      (kong) => kong.response.exit(403, { error: 'no' }),
      { ...GRPC, 'kong.request.get_header': { v: 'application/grpc+proto' } },
      { status: 403, body: '', headers: {} },
    ],
    [
      'error: the content type of gRPC, and no body',
      (kong) => kong.response.error(403, 'no'),
      GRPC,
      { status: 403, body: '', headers: { 'Content-Type': 'application/grpc' } },
    ],
    [
      'exit with an object over HTTP/1.1: JSON, as from Kong',
      (kong) => kong.response.exit(403, { message: 'no' }),
      { ...GRPC, 'kong.request.get_http_version': { v: 1.1 } },
      {
        status: 403,
        body: '{"message":"no"}',
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
      },
    ],
    [
      'exit with an object for anybody else: JSON',
      (kong) => kong.response.exit(403, { message: 'no' }),
      {},
      {
        status: 403,
        body: '{"message":"no"}',
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
      },
    ],
  ];

for (const [what, access, answers, expected] of CASES) {
  test(`on a gRPC route, ${what}`, async (t) => {
    class Plugin {
      access(kong: Kong) {
        return access(kong);
      }
    }
    const { peer } = await serving(t, { p: Plugin as never });
    const kong = peer();
    const id = (await kong.start('p')) as number;
    const { calls, end } = await kong.event(id, 'access', answers);
    assert.equal(end, 'exit');
    const { status, body, headers } = (calls.at(-1) as ReceivedCall).args as {
      status: number;
      body?: Buffer;
      headers?: object;
    };
    assert.deepEqual({ status, body: String(body ?? ''), headers: { ...headers } }, expected);
    // One round trip at most before the exit.
    assert.ok(calls.length <= 5);
  });
}

test('an exit with a text asks Kong for nothing', async (t) => {
  class Plugin {
    access(kong: Kong) {
      kong.response.exit(403, 'no', { 'Content-Type': 'text/plain' });
    }
  }
  const { peer } = await serving(t, { p: Plugin as never });
  const kong = peer();
  const { calls } = await kong.event((await kong.start('p')) as number, 'access');
  assert.deepEqual(
    calls.map(({ method }) => method),
    ['kong.response.exit'],
  );
});
