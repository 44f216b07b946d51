import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type FunctionsGateway, FunctionsRig, received } from '../plugins/js-functions/gateway-rig.js';

const EXAMPLES = join(import.meta.dirname, '../../examples/functions');
const HOST: [string, string] = ['Host', 'functions.test'];
/** Of processor time: longer than any number of requests through the other server takes. */
const LOOP_MS = 800;

const rig = new FunctionsRig();
before(() => rig.start({ KONG_TS_JS_MAX_CPU_MS: '10000', KONG_TS_JS_MAX_WALL_MS: '60000' }));
after(() => rig.stop());

for (const protocol of ['protobuf', 'msgpack'] as const) {
  describe(`the examples in examples/functions, over ${protocol}`, () => examples(protocol));
  describe(`functions that fail or wait, over ${protocol}`, () => failing(protocol));
}

function examples(protocol: 'protobuf' | 'msgpack'): void {
  const started = new Map<string, Promise<FunctionsGateway>>();
  const send = async (
    example: string,
    headers: [string, string][] = [],
    { path = `/${example}`, body }: { path?: string; body?: string } = {},
  ) => {
    if (!started.has(example)) {
      const file = join(EXAMPLES, `${example}.yml`);
      started.set(example, rig.gateway(readFileSync(file, 'utf8'), file, protocol));
    }
    const gateway = (await started.get(example)) as FunctionsGateway;
    return gateway.send({
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: [HOST, ...headers],
      body,
    });
  };

  it('header-transform renames a header and adds one from the query', async () => {
    const request = (
      await send('header-transform', [['X-Old-Key', 'abc']], { path: '/header-transform?lang=de' })
    ).upstream();
    assert.deepEqual(received(request, 'x-new-key'), ['ABC']);
    assert.deepEqual(received(request, 'x-old-key'), []);
    assert.deepEqual(received(request, 'accept-language'), ['de']);
    const plain = (await send('header-transform')).upstream();
    assert.deepEqual(received(plain, 'x-new-key'), []);
    assert.deepEqual(received(plain, 'accept-language'), ['en']);
  });

  it('maintenance answers with a page, and lets testers through', async () => {
    for (const headers of [[], [['X-Tester', 'let-me-im']]] as [string, string][][]) {
      const page = await send('maintenance', headers);
      assert.equal(page.status, 503);
      assert.equal(page.body, '<h1>Back soon</h1>');
      assert.equal(page.header('content-type'), 'text/html; charset=utf-8');
      assert.equal(page.header('retry-after'), '600');
      assert.equal(page.header('x-upstream'), undefined);
    }
    const request = (await send('maintenance', [['X-Tester', 'let-me-in']])).upstream();
    assert.deepEqual(received(request, 'x-tester'), ['yes']);
  });

  it('ab-routing sends a user always to the same version, and counts across requests', async () => {
    const versions = new Map<string, string>();
    let count = 0;
    for (const round of [1, 2]) {
      for (let user = 0; user < 12; user++) {
        const request = (await send('ab-routing', [['X-User', `user-${user}`]])).upstream();
        const [version = ''] = received(request, 'x-version');
        count++;
        assert.deepEqual([request.url, received(request, 'x-count')], [`/${version}`, [String(count)]]);
        assert.equal(versions.get(`${user}`) ?? version, version, `round ${round}`);
        versions.set(`${user}`, version);
      }
    }
    assert.deepEqual([...new Set(versions.values())].sort(), ['a', 'b']);
  });

  it('signing-check lets signed bodies through and no others', async () => {
    const body = '{"amount": 10}';
    const signature = createHmac('sha256', 'a-demo-key').update(body).digest('hex');
    const good = (await send('signing-check', [['X-Signature', signature]], { body })).upstream();
    assert.equal(good.body, body);
    assert.deepEqual(received(good, 'x-signature'), []);
    const refused: [string, [string, string][], string][] = [
      ['another body', [['X-Signature', signature]], '{"amount": 11}'],
      ['no signature', [], body],
      ['cut short', [['X-Signature', signature.slice(0, 63)]], body],
    ];
    for (const [what, headers, text] of refused) {
      const reply = await send('signing-check', headers, { body: text });
      assert.equal(reply.status, 403, what);
      assert.deepEqual(JSON.parse(reply.body), { message: 'Bad signature' });
    }
  });

  it('body-rewrite takes a field out of the JSON and adds one', async () => {
    const reply = await send('body-rewrite', [], { body: 'grüße' });
    assert.equal(reply.status, 200);
    assert.equal(reply.header('content-type'), 'application/json');
    const { headers, method, rewritten } = JSON.parse(reply.body);
    assert.deepEqual([headers, method, rewritten], [undefined, 'POST', true]);
  });
}

function failing(protocol: 'protobuf' | 'msgpack'): void {
  let gateway: FunctionsGateway;
  const get = (path: string, headers: [string, string][] = []) =>
    gateway.send({ path, headers: [HOST, ...headers] });

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
    const config = {
      _format_version: '3.0',
      services: [
        {
          name: 'echo',
          url: 'http://127.0.0.1:9000',
          routes: routes.map(([name, plugin, config]) => ({
            name,
            paths: [`/${name}`],
            plugins: [{ name: plugin, config }],
          })),
        },
      ],
    };
    gateway = await rig.gateway(JSON.stringify(config), 'functions', protocol);
  });

  it('one that throws gives 500 and a log line with plugin, phase, index, line and column', async () => {
    const reply = await get('/throws');
    assert.equal(reply.status, 500);
    assert.equal(reply.header('x-upstream'), undefined);
    assert.ok(!reply.body.includes('access[1]'), 'the client is told nothing of the source');
    const place = /\[error\].*js-post-function access\[1\]:3:18: TypeError: /;
    await gateway.logged(place);
  });

  it('in the response phase, too: the body of the upstream does not get out', async () => {
    const reply = await get('/throws-in-response');
    assert.equal(reply.status, 500);
    assert.ok(!reply.body.includes('functions.test'));
    const place = /\[error\].*js-response-function response\[0\]:2:7: TypeError: /;
    await gateway.logged(place);
  });

  it('in the log phase it is only the line', async () => {
    assert.equal((await get('/throws-in-log')).status, 200);
    const place = /js-pre-function log\[0\]:1:\d+: RangeError: late/;
    await gateway.logged(place);
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
      assert.equal(reply.header('x-hello'), 'hello, functions.test');
      if (!ended) meanwhile++;
    }
    assert.equal((await looping).status, 500);
    assert.ok(meanwhile >= 5, `${meanwhile} requests went on`);
    const line = new RegExp(`js-pre-function access.*over the limit of ${LOOP_MS} ms of processor time`);
    await gateway.logged(line);
  });

  it('after an endless loop of awaits the functions of others are served, and the loop is stopped again', async () => {
    for (const round of [1, 2]) {
      const looping = get('/microtasks');
      const [stopped, other] = await Promise.all([looping, get('/throws-in-log')]);
      assert.deepEqual([stopped.status, other.status], [500, 200], `round ${round}`);
    }
  });

  it('two requests in one instance, one of them in a PDK call, keep their own kong', async () => {
    const first = http.request({
      port: gateway.port,
      path: '/waits',
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
    await gateway.logged(/before the body of first/);
    const second = await gateway.send({
      method: 'POST',
      path: '/waits',
      headers: [HOST, ['X-Who', 'second']],
      body: 'two',
    });
    assert.deepEqual(received(second.upstream(), 'x-seen'), ['second,two,second']);
    first.end('-1');
    assert.deepEqual(received(JSON.parse(await firstReply), 'x-seen'), ['first,one-1,first']);
  });
}
