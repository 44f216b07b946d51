import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as hello from '../../plugins/hello/index.js';
import * as postFunction from '../../plugins/js-post-function.js';
import * as preFunction from '../../plugins/js-pre-function.js';
import * as responseFunction from '../../plugins/js-response-function.js';
import { startTestGateway, type TestGateway, type TestRequestInit } from '../../src/testing/index.js';
import { until } from '../gateway/support.js';

const EXAMPLES = join(import.meta.dirname, '../../examples/functions');
/** Of processor time: longer than any number of other requests takes. */
const LOOP_MS = 800;

const plugins = {
  hello,
  'js-pre-function': preFunction,
  'js-post-function': postFunction,
  'js-response-function': responseFunction,
};
// A machine that is busy with tests may need more than the default.
const env = { KONG_TS_JS_MAX_CPU_MS: '10000', KONG_TS_JS_MAX_WALL_MS: '60000' };

/** Waits for a line of the gateway's error log. */
async function logged(gateway: TestGateway, line: RegExp): Promise<void> {
  const text = () => gateway.log.map((entry) => `[${entry.level}] ${entry.text}`);
  await until(() => text().some((one) => line.test(one)), `a line ${line}`).catch((error: Error) => {
    throw new Error(`${error.message} in:\n${text().join('\n')}`);
  });
}

for (const protocol of ['protobuf', 'msgpack'] as const) {
  describe(`the examples in examples/functions, over ${protocol}`, () => examples(protocol));
  describe(`functions that fail or wait, over ${protocol}`, () => failing(protocol));
}

function examples(protocol: 'protobuf' | 'msgpack'): void {
  const started = new Map<string, Promise<TestGateway>>();
  after(async () => {
    for (const gateway of started.values()) await (await gateway).close();
  });
  const send = async (example: string, init: TestRequestInit = {}, path = `/${example}`) => {
    if (!started.has(example)) {
      const config = join(EXAMPLES, `${example}.yml`);
      started.set(example, startTestGateway({ plugins, config, env, protocol }));
    }
    return (await (started.get(example) as Promise<TestGateway>)).request(path, init);
  };

  it('header-transform renames a header and adds one from the query', async () => {
    const headers = { 'X-Old-Key': 'abc' };
    const { upstream } = await send('header-transform', { headers }, '/header-transform?lang=de');
    assert.equal(upstream?.headers['x-new-key'], 'ABC');
    assert.equal(upstream?.headers['x-old-key'], undefined);
    assert.equal(upstream?.headers['accept-language'], 'de');
    const plain = (await send('header-transform')).upstream;
    assert.equal(plain?.headers['x-new-key'], undefined);
    assert.equal(plain?.headers['accept-language'], 'en');
  });

  it('maintenance answers with a page, and lets testers through', async () => {
    for (const headers of [{}, { 'X-Tester': 'let-me-im' }]) {
      const page = await send('maintenance', { headers });
      assert.equal(page.status, 503);
      assert.equal(page.body, '<h1>Back soon</h1>');
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(page.headers['retry-after'], '600');
      assert.equal(page.upstream, undefined);
    }
    const { upstream } = await send('maintenance', { headers: { 'X-Tester': 'let-me-in' } });
    assert.equal(upstream?.headers['x-tester'], 'yes');
  });

  it('ab-routing sends a user always to the same version, and counts across requests', async () => {
    const versions = new Map<number, unknown>();
    let count = 0;
    for (const round of [1, 2]) {
      for (let user = 0; user < 12; user++) {
        const { upstream } = await send('ab-routing', { headers: { 'X-User': `user-${user}` } });
        const version = upstream?.headers['x-version'];
        count++;
        assert.deepEqual([upstream?.path, upstream?.headers['x-count']], [`/${version}`, String(count)]);
        assert.equal(versions.get(user) ?? version, version, `round ${round}`);
        versions.set(user, version);
      }
    }
    assert.deepEqual([...new Set(versions.values())].sort(), ['a', 'b']);
  });

  it('signing-check lets signed bodies through and no others', async () => {
    const body = '{"amount": 10}';
    const signature = createHmac('sha256', 'a-demo-key').update(body).digest('hex');
    const { upstream } = await send('signing-check', { headers: { 'X-Signature': signature }, body });
    assert.equal(upstream?.body, body);
    assert.equal(upstream?.headers['x-signature'], undefined);
    const refused: [string, Record<string, string>, string][] = [
      ['another body', { 'X-Signature': signature }, '{"amount": 11}'],
      ['no signature', {}, body],
      ['cut short', { 'X-Signature': signature.slice(0, 63) }, body],
    ];
    for (const [what, headers, text] of refused) {
      const reply = await send('signing-check', { headers, body: text });
      assert.deepEqual([reply.status, reply.upstream], [403, undefined], what);
      assert.deepEqual(reply.json(), { message: 'Bad signature' });
    }
  });

  it('body-rewrite takes a field out of the JSON and adds one', async () => {
    const reply = await send('body-rewrite', { body: 'grüße' });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'application/json');
    const { headers, method, rewritten } = reply.json() as Record<string, unknown>;
    assert.deepEqual([headers, method, rewritten], [undefined, 'POST', true]);
  });
}

function failing(protocol: 'protobuf' | 'msgpack'): void {
  let gateway: TestGateway;
  const get = (path: string) => gateway.request(path, { headers: { host: 'functions.test' } });

  before(async () => {
    const routes: [name: string, plugin: string, config: object][] = [
      ['plain', 'hello', {}],
      [
        'throws',
        'js-post-function',
        {
          access: [
            'await kong.service.request.setHeader("x-before", "1");',
            'const shape: { x?: { y: number } } = {};\nconst deep = () => {\n  return shape.x!.y;\n};\ndeep();',
          ],
        },
      ],
      ['throws-in-log', 'js-pre-function', { log: ['throw new RangeError("late");'] }],
      ['throws-in-response', 'js-response-function', { response: ['\n  null.x;'] }],
      ['loops', 'js-pre-function', { access: ['for (;;);'], max_cpu_ms: LOOP_MS, max_wall_ms: 60_000 }],
      [
        'microtasks',
        'js-pre-function',
        {
          access: ['const again = async () => { for (;;) await null; };\nreturn again;'],
          max_cpu_ms: 100,
          max_wall_ms: 60_000,
        },
      ],
      [
        'waits',
        'js-pre-function',
        {
          max_cpu_ms: 5000,
          max_wall_ms: 60_000,
          access: [
            `return async () => {
               const who = await kong.request.getHeader('x-who');
               kong.log.notice('before the body of ', who);
               const body = (await kong.request.getRawBody()).toString();
               const again = await kong.request.getHeader('x-who');
               await kong.service.request.setHeader('X-Seen', [who, body, again].join());
             };`,
          ],
        },
      ],
    ];
    gateway = await startTestGateway({
      plugins,
      env,
      protocol,
      routes: routes.map(([name, plugin, config]) => ({
        name,
        paths: [`/${name}`],
        plugins: [{ name: plugin, config }],
      })),
    });
  });
  after(() => gateway.close());

  it('one that throws gives 500 and a log line with plugin, phase, index, line and column', async () => {
    const reply = await get('/throws');
    assert.equal(reply.status, 500);
    assert.equal(reply.upstream, undefined);
    assert.ok(!reply.body.includes('access[1]'), 'the client is told nothing of the source');
    const place = /\[error\].*js-post-function access\[1\]:3:18: TypeError: /;
    await logged(gateway, place);
  });

  it('in the response phase, too: the body of the upstream does not get out', async () => {
    const reply = await get('/throws-in-response');
    assert.equal(reply.status, 500);
    assert.ok(!reply.body.includes('functions.test'));
    const place = /\[error\].*js-response-function response\[0\]:2:7: TypeError: /;
    await logged(gateway, place);
  });

  it('in the log phase it is only the line', async () => {
    assert.equal((await get('/throws-in-log')).status, 200);
    const place = /js-pre-function log\[0\]:1:\d+: RangeError: late/;
    await logged(gateway, place);
  });

  it("one that loops gives 500 while another plugin's requests go on", async () => {
    let ended = false;
    const looping = get('/loops').finally(() => {
      ended = true;
    });
    let meanwhile = 0;
    while (!ended) {
      const reply = await get('/plain');
      assert.equal(reply.status, 200);
      assert.equal(reply.headers['x-hello'], 'hello, functions.test');
      if (!ended) meanwhile++;
    }
    assert.equal((await looping).status, 500);
    assert.ok(meanwhile >= 5, `${meanwhile} requests went on`);
    const line = new RegExp(`js-pre-function access.*over the limit of ${LOOP_MS} ms of processor time`);
    await logged(gateway, line);
  });

  it('after an endless loop of awaits the functions of others are served, and the loop is stopped again', async () => {
    for (const round of [1, 2]) {
      const looping = get('/microtasks');
      const [stopped, other] = await Promise.all([looping, get('/throws-in-log')]);
      assert.deepEqual([stopped.status, other.status], [500, 200], `round ${round}`);
    }
  });

  it('two requests in one instance, one of them in a PDK call, keep their own kong', async () => {
    const first = http.request(`${gateway.url}/waits`, {
      method: 'POST',
      headers: { host: 'functions.test', 'x-who': 'first', 'content-length': 5 },
    });
    const firstReply = new Promise<string>((resolve, reject) => {
      first.once('error', reject).once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.once('end', () => resolve(text));
      });
    });
    // The body is not whole: the gateway cannot answer the PDK call.
    first.write('one');
    await logged(gateway, /before the body of first/);
    const second = await gateway.request('/waits', { headers: { 'X-Who': 'second' }, body: 'two' });
    assert.equal(second.upstream?.headers['x-seen'], 'second,two,second');
    first.end('-1');
    const { headers } = JSON.parse(await firstReply) as { headers: Record<string, string> };
    assert.equal(headers['x-seen'], 'first,one-1,first');
  });
}
