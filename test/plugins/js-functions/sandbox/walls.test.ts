import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { after, describe, it } from 'node:test';
import { compileCheck } from '../../../../plugins/js-functions/compile/compile.js';
import { instance, once, recordingKong, request } from './support.js';

/** A function that counts, in an instance of its own: what it counted is what it was called. */
function counter() {
  return instance('let n = 0; return () => kong.nginx.setCtx("n", ++n);');
}

async function count(plugin: ReturnType<typeof counter>): Promise<unknown> {
  const { calls, error } = await request(plugin);
  assert.equal(error, undefined);
  return calls[0]?.[2];
}

describe('an exit that cannot be delivered is a failure', () => {
  const bodies = {
    'a key of that name': `JSON.parse('{"__proto__": {"a": 1}}')`,
    'nested 70 deep': `JSON.parse('['.repeat(70) + ']'.repeat(70))`,
    'a getter that throws': `({ get a() { throw new Error('mine'); } })`,
    'a cycle': `(() => { const a = {}; a.a = a; return a; })()`,
    'too many values': `Array.from({ length: 60000 }, () => 1)`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    for (const call of [
      (exit: string) => exit,
      (exit: string) => `await ${exit}`,
      (exit: string) => `try { await ${exit}; } catch {}`,
      (exit: string) => `${exit}.catch(() => {}); await kong.request.getPath();`,
    ]) {
      const source = call(`kong.response.exit(403, { got: ${body} })`);
      it(`${what}: ${source.replace(body, '…')}`, async () => {
        const { error, exited } = await once(source);
        assert.equal(exited, false);
        assert.equal((error as { code?: string } | undefined)?.code, 'JS_FUNCTION', String(error));
      });
    }
  }

  it('so is a call without a result', async () => {
    const { error } = await once(
      `kong.service.request.setHeader('x', JSON.parse('{"__proto__": 1}')); await kong.request.getPath();`,
    );
    assert.match(error?.message ?? 'let through', /access\[0\].*__proto__/);
  });

  it('a call with a result is an error that can be caught', async () => {
    const { error, calls } = await once(
      `try { await kong.nginx.getCtx(JSON.parse('{"__proto__": 1}')); } catch { await kong.log.notice('caught'); }`,
    );
    assert.equal(error, undefined);
    assert.deepEqual(calls, [['log.notice', 'caught']]);
  });
});

describe('everything ends with the phase', () => {
  for (const [what, source] of Object.entries({
    'a thenable whose then schedules the next': `
      const next = () => ({ then(resolve) { Promise.resolve(next()).then(() => {}); new Promise((r) => r(next())); } });
      new Promise((r) => r(next()));`,
    'async functions that await one another': `(async () => { for (;;) await null; })();`,
    'promises that resolve with thenables': `
      (function f() { new Promise((r) => r({ then() { f(); } })); })();`,
  })) {
    it(what, async () => {
      const plugin = instance({ access: [source], max_cpu_ms: 30 });
      const { calls } = await request(plugin);
      assert.deepEqual(calls, []);
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 150_000, `${(user + system) / 1000} ms of processor time in 300 ms`);
      plugin.close();
    });
  }
});

describe('an instance loses itself and nobody else', () => {
  const big = `JSON.parse('{"items":[' + Array(800000).fill('{}').join() + ']}')`;
  for (const [what, source] of Object.entries({
    'JSON of 2.4 MB': big,
    'proxies in proxies': `let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;`,
    'a chain of iterator helpers': `let i = [1].values(); for (let n = 0; n < 1e5; n++) i = i.map((x) => x); i.next();`,
    'all the memory': `const a = []; for (;;) a.push(new Uint8Array(1000));`,
  })) {
    it(what, async () => {
      const neighbours = [counter(), counter(), counter()];
      for (const neighbour of neighbours) await count(neighbour);
      const plugin = instance({ max_memory_mb: 4, access: [source] });
      const { error } = await request(plugin);
      assert.equal((error as { code?: string } | undefined)?.code, 'JS_LIMIT', String(error));
      for (const neighbour of neighbours) {
        assert.equal(await count(neighbour), 2);
        neighbour.close();
      }
      plugin.close();
    });
  }
});

describe('the compiler takes what the engine takes', () => {
  it('a comment of HTML hides nothing', async () => {
    for (const source of [
      `<!-- }}); for (;;); (() => { return function () {`,
      `1;\n--> }}); for (;;);`,
      `1 <!-- 2n\n`,
    ]) {
      const { error, calls } = await once(`${source}\nawait kong.log.notice('ran');`);
      assert.deepEqual([error, calls], [undefined, [['log.notice', 'ran']]], source);
    }
    for (const source of [
      `<!--\n}}); (() => { return function () {`,
      `1 <!--\n, 2n`,
      `}}), (() => { return () => {`,
    ]) {
      assert.ok(compileCheck(source), source);
    }
  });

  it('what is refused leaves the compiler as it was', () => {
    const hostile = [
      '('.repeat(5000),
      'x=>'.repeat(5000),
      `a${'.a'.repeat(9000)}`,
      `${'`${'.repeat(900)}`,
      'a?b:'.repeat(3000),
    ];
    for (let i = 0; i < 40; i++) {
      for (const source of hostile) assert.ok(compileCheck(`${source} // ${i}`));
    }
    assert.equal(compileCheck(`const x: number = 1; return () => x; // ${Math.random()}`), undefined);
  });
});

describe('PDK calls go to the request that makes them', () => {
  /** Two requests in one instance, one of which tries to call in the other's name. */
  async function mixed(attack: string): Promise<unknown[]> {
    const plugin = instance(`
      const shared = {};
      return async () => {
        const who = await kong.request.getHeader('x-who');
        if (who === 'victim') { await kong.request.getRawBody(); return; }
        try { ${attack} } catch {}
        kong.nginx.setCtx('mark', who);
        await kong.request.getPath();
      };`);
    const victim = recordingKong({
      'request.getHeader': 'victim',
      'request.getRawBody': () => new Promise((r) => setTimeout(r, 200)),
    });
    const waiting = plugin.access(victim.kong);
    const attacker = recordingKong({ 'request.getHeader': 'attacker' });
    await plugin.access(attacker.kong).catch(() => undefined);
    await waiting;
    plugin.close();
    return victim.calls.filter(([method]) => method === 'nginx.setCtx');
  }

  for (const [what, attack] of Object.entries({
    'an escaped name': String.raw`for (let i = 0; i < 9; i++) \u0024kongC(i);`,
    'the escaped name of resume': String.raw`for (let i = 0; i < 9; i++) \u0024kongR({ run: i, value: 1, failed: false });`,
    'a promise with another constructor': `
      class Mine extends Promise {
        constructor(executor) { super((a, b) => executor((box) => { if (box) box.run = 1; a(box); }, b)); }
      }
      const p = Promise.resolve(1); p.constructor = Mine; await p; kong.nginx.setCtx('mark', 'forged');`,
    'a species': `
      const p = Promise.resolve(1);
      p.constructor = { [Symbol.species]: function (executor) { executor((box) => { if (box) box.run = 1; }, () => {}); } };
      await p;`,
  })) {
    it(what, async () => assert.deepEqual(await mixed(attack), []));
  }
});

describe('an instance that is closed', () => {
  it('while its isolate opens, still serves the event that waits for it', async () => {
    for (let i = 0; i < 5; i++) {
      const plugin = counter();
      const { kong, calls } = recordingKong();
      const waiting = plugin.access(kong);
      plugin.close();
      await waiting;
      assert.deepEqual(calls, [['nginx.setCtx', 'n', 1]]);
    }
  });
});

describe('the thread that talks to Kong', () => {
  it('goes before those whose functions burn time', { skip: process.platform !== 'linux' }, async () => {
    const plugin = instance({ max_cpu_ms: 10, access: ['for (;;);'] });
    for (let i = 0; i < 10; i++) await request(plugin);
    const niceness = (thread: string) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    };
    const own = niceness(String(process.pid));
    assert.equal(own, getPriority());
    const others = readdirSync('/proc/self/task').map(niceness);
    assert.ok(others.includes(Math.min(own + 10, 19)), `${own}; threads: ${others}`);
    plugin.close();
  });
});

describe('a thread that had to be ended', () => {
  const plugin = instance({
    max_cpu_ms: 10,
    access: [
      `if ((await kong.request.getMethod()) === 'GET') { const s = 'a'.repeat(2e6); for (;;) s.lastIndexOf('b' + 'a'.repeat(1e6)); }`,
    ],
  });
  after(() => plugin.close());

  it('costs its instance its state, and after three times in a minute some seconds', async () => {
    const good = counter();
    await count(good);
    for (let i = 0; i < 3; i++) {
      const { error } = await request(plugin, { 'request.getMethod': 'GET' });
      assert.match(error?.message ?? '', /over the limit of 10 ms of processor time/);
    }
    const { error, calls } = await request(plugin, { 'request.getMethod': 'POST' });
    assert.match(error?.message ?? '', /ended too often/);
    assert.deepEqual(
      calls.filter(([method]) => method !== 'log.err'),
      [],
      'it was not run',
    );
    const [, first] = [await count(good), await count(good)] as [number, number];
    assert.ok(first >= 2, 'the others are served');
    good.close();
  });
});
