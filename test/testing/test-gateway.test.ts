import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Kong } from '../../src/index.js';
import { startTestGateway, type TestKitError } from '../../src/testing/index.js';

const closed: string[] = [];

const greeter = {
  version: '1.0.0',
  priority: 10,
  Schema: [{ greeting: { type: 'string', default: 'hello' } }, { fail: { type: 'boolean', default: false } }],
  Plugin: class {
    constructor(readonly config: { greeting: string; fail: boolean }) {}

    async access(kong: Kong): Promise<void> {
      if (this.config.fail) throw new Error('as asked');
      const name = await kong.request.getHeader('x-name');
      if (name === undefined) return kong.response.exit(401, { message: 'who?' });
      kong.service.request.setHeader(
        'x-greeting',
        `${process.env.GREETER_PREFIX ?? ''}${this.config.greeting} ${name}`,
      );
    }

    async log(kong: Kong): Promise<void> {
      await kong.log.notice('done');
    }

    close(): void {
      closed.push(this.config.greeting);
    }
  },
};

test('a request: status, headers, body, upstream, events and log', async () => {
  await using gateway = await startTestGateway({ plugins: { greeter } });
  const answer = await gateway.request('/some?q=1', { headers: { 'x-name': 'Zoë' }, body: 'text' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['x-upstream'], 'echo');
  assert.equal(answer.upstream?.method, 'POST');
  assert.equal(answer.upstream?.path, '/some?q=1');
  assert.equal(answer.upstream?.headers['x-greeting'], 'hello Zoë');
  assert.equal(answer.upstream?.headers.host, 'upstream');
  assert.equal(answer.upstream?.body, 'text');
  assert.deepEqual(
    answer.events.map(({ plugin, phase, outcome }) => [plugin, phase, outcome]),
    [
      ['greeter', 'access', 'changed'],
      ['greeter', 'log', 'passed'],
    ],
  );
  assert.deepEqual(
    answer.events[0]?.calls.map(({ method, args, answer: got }) => [method, args, got]),
    [
      ['kong.request.get_header', ['x-name'], 'Zoë'],
      ['kong.service.request.set_header', ['x-greeting', 'hello Zoë'], undefined],
    ],
  );
  assert.deepEqual(
    answer.log.map(({ level, plugin, text }) => [level, plugin, text]),
    [['notice', 'greeter', 'done']],
  );
});

test('an exit reaches no upstream', async () => {
  await using gateway = await startTestGateway({ plugins: { greeter } });
  const answer = await gateway.request('/');
  assert.equal(answer.status, 401);
  assert.deepEqual(answer.json(), { message: 'who?' });
  assert.equal(answer.upstream, undefined);
  assert.equal(answer.events[0]?.outcome, 'exited');
});

test('routes with a configuration for each', async () => {
  await using gateway = await startTestGateway({
    plugins: { greeter },
    routes: [
      { paths: ['/de'], plugins: [{ name: 'greeter', config: { greeting: 'hallo' } }] },
      { paths: ['/plain'] },
    ],
  });
  const init = { headers: { 'x-name': 'Jo' } };
  assert.equal((await gateway.request('/de', init)).upstream?.headers['x-greeting'], 'hallo Jo');
  assert.equal((await gateway.request('/plain', init)).upstream?.headers['x-greeting'], undefined);
  assert.equal((await gateway.request('/none')).status, 404);
});

test('a whole configuration, and another in its place', async () => {
  const config = (greeting: string) => `_format_version: "3.0"
services:
  - name: shop
    url: https://shop.internal/v1
    routes:
      - paths: ["/"]
plugins:
  - name: greeter
    config:
      greeting: ${greeting}
`;
  await using gateway = await startTestGateway({ plugins: { greeter }, config: config('salut') });
  const init = { headers: { 'x-name': 'Jo' } };
  const answer = await gateway.request('/a', init);
  assert.equal(answer.upstream?.headers['x-greeting'], 'salut Jo');
  assert.equal(answer.upstream?.headers.host, 'shop.internal');
  assert.equal(answer.upstream?.path, '/v1/a');
  await gateway.configure(config('ciao'));
  assert.equal((await gateway.request('/a', init)).upstream?.headers['x-greeting'], 'ciao Jo');
  assert.ok(closed.includes('salut'));
});

test('an upstream of the test answers what the test says', async () => {
  await using gateway = await startTestGateway({
    plugins: { greeter },
    upstream: ({ body }) => ({ status: 202, headers: { 'x-a': ['1', '2'] }, body: `got ${body}` }),
  });
  const answer = await gateway.request('/', { headers: { 'x-name': 'Jo' }, json: { a: 1 } });
  assert.equal(answer.status, 202);
  assert.deepEqual(answer.headers['x-a'], ['1', '2']);
  assert.equal(answer.body, 'got {"a":1}');
});

for (const protocol of ['protobuf', 'msgpack'] as const) {
  test(`a handler that throws is a 500 with its place, over ${protocol}`, async () => {
    await using gateway = await startTestGateway({
      plugins: { greeter },
      protocol,
      routes: [{ paths: ['/'], plugins: [{ name: 'greeter', config: { fail: true } }] }],
    });
    const { status, events, upstream } = await gateway.request('/');
    assert.equal(status, 500);
    assert.equal(upstream, undefined);
    assert.equal(events[0]?.outcome, 'threw');
    assert.match(events[0]?.error?.message ?? '', /as asked/);
    assert.match(events[0]?.error?.file ?? '', /test-gateway\.test\.ts$/);
  });
}

test('gateways beside each other know nothing of each other', async () => {
  await using first = await startTestGateway({ plugins: { greeter } });
  await using second = await startTestGateway({
    plugins: { greeter },
    routes: [{ paths: ['/'], plugins: [{ name: 'greeter', config: { greeting: 'hej' } }] }],
  });
  const init = { headers: { 'x-name': 'Jo' } };
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? first : second).request(`/${i}`, init)),
  );
  for (const [i, { upstream, record }] of answers.entries()) {
    assert.equal(upstream?.headers['x-greeting'], i % 2 === 0 ? 'hello Jo' : 'hej Jo');
    assert.equal(record.request.target, `/${i}`);
  }
});

test('environment variables are there while the gateway runs', async () => {
  const env = { GREETER_PREFIX: '* ' };
  {
    await using gateway = await startTestGateway({ plugins: { greeter }, env });
    const { upstream } = await gateway.request('/', { headers: { 'x-name': 'Jo' } });
    assert.equal(upstream?.headers['x-greeting'], '* hello Jo');
    await assert.rejects(
      startTestGateway({ plugins: { greeter }, env: { GREETER_PREFIX: 'other' } }),
      (error: TestKitError) => error.code === 'TEST_ENV',
    );
  }
  assert.equal(process.env.GREETER_PREFIX, undefined);
});

test('faults of plugin and configuration are named', async () => {
  await assert.rejects(
    startTestGateway({ plugins: { broken: { Plugin: class {} } } }),
    (error: TestKitError) => error.code === 'TEST_PLUGINS' && /broken: .*version/s.test(error.message),
  );
  await assert.rejects(
    startTestGateway({ plugins: { greeter }, routes: [{ paths: ['/'], plugins: [{ name: 'greter' }] }] }),
    (error: TestKitError) => error.code === 'TEST_CONFIG' && /greter/.test(error.message),
  );
});

test('a folder of plugins is loaded as the server loads it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'test-gateway-'));
  try {
    writeFileSync(
      join(folder, 'marks.ts'),
      `export const version = '1.0.0';
export class Plugin { access(kong: any) { kong.service.request.setHeader('x-mark', 'here' satisfies string); } }\n`,
    );
    await using gateway = await startTestGateway({ plugins: folder });
    assert.equal((await gateway.request('/')).upstream?.headers['x-mark'], 'here');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('it is up within 300 ms and leaves nothing behind', async () => {
  // A plugin server's bound handle stays as an object without a file: what counts is what is open.
  const handles = () => {
    const resources = process
      .getActiveResourcesInfo()
      .filter((name) => name !== 'FSReqCallback' && name !== 'PipeWrap');
    return `${resources.sort()} ${process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0}`;
  };
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('kong-ts-test-')).length;
  const before = [handles(), folders()];
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    await using gateway = await startTestGateway({ plugins: { greeter } });
    times.push(performance.now() - began);
    await gateway.request('/', { headers: { 'x-name': 'Jo' } });
  }
  assert.ok(Math.min(...times) < 300, `it took ${times.map(Math.round)} ms`);
  // What was closed is gone once its events are through.
  for (let i = 0; i < 100 && handles() !== before[0]; i++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([handles(), folders()], before);
});
