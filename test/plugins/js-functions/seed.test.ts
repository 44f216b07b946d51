import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as postFunction from '../../../plugins/js-post-function.js';
import * as preFunction from '../../../plugins/js-pre-function.js';
import * as responseFunction from '../../../plugins/js-response-function.js';
import { definePlugin } from '../../../src/plugin/define.js';
import { evaluate, instance, once, recordingKong, request } from './sandbox/support.js';

const mark = (text: string) => `await kong.nginx.setCtx('mark', '${text}');`;

/** Each test is named after a row of Kong's page on its serverless functions plugins. */
describe("the rows of Kong's serverless functions page, in JavaScript", () => {
  describe('Two plugins, each with a different priority in the plugin chain', () => {
    const define = (parts: typeof preFunction | typeof postFunction | typeof responseFunction) =>
      definePlugin({ ...parts, schema: parts.Schema });

    it('pre-function runs before other plugins during each phase', () => {
      assert.equal(define(preFunction).priority, 1_000_000);
    });

    it('post-function runs after other plugins in each phase', () => {
      assert.equal(define(postFunction).priority, -1000);
      assert.equal(define(responseFunction).priority, -1000);
    });

    it('both have the phases certificate, rewrite, access, log; only js-response-function buffers the response', () => {
      const phases = ['certificate', 'rewrite', 'access', 'log'];
      assert.deepEqual(define(preFunction).phases, phases);
      assert.deepEqual(define(postFunction).phases, phases);
      assert.deepEqual(define(responseFunction).phases, ['response']);
    });
  });

  describe('Array of stringified code to be cached and run in sequence during the phase', () => {
    for (const phase of ['certificate', 'rewrite', 'access', 'log'] as const) {
      it(`config.${phase}`, async () => {
        const plugin = instance({ [phase]: [mark('one'), mark('two'), mark('three')] });
        const { calls, error } = await request(plugin, {}, phase);
        assert.equal(error, undefined);
        assert.deepEqual(
          calls.map((call) => call[2]),
          ['one', 'two', 'three'],
        );
        plugin.close();
      });
    }

    it('config.response, of js-response-function', async () => {
      const plugin = new responseFunction.Plugin({
        response: [mark('one'), mark('two')],
        max_wall_ms: 20_000,
        max_cpu_ms: 5000,
      });
      const { kong, calls } = recordingKong();
      await plugin.response(kong);
      assert.deepEqual(
        calls.map((call) => call[2]),
        ['one', 'two'],
      );
      plugin.close();
    });

    it('runs nothing in a phase that has no function', async () => {
      const { calls, error } = await request(instance({ access: [mark('one')] }), {}, 'log');
      assert.deepEqual([calls, error], [[], undefined]);
    });

    it('is compiled once and cached: a fault is found when the instance starts, not at a request', () => {
      assert.throws(
        () => instance({ access: [mark('fine'), 'const x = 1;\n  const x = 2;'] }),
        (error: Error) => {
          assert.match(error.message, /^js-pre-function access\[1\]:2:9: SyntaxError: /);
          return true;
        },
      );
    });

    it('at least one function must be configured', () => {
      assert.throws(() => instance({ access: [] }), /has no function/);
      assert.throws(() => instance({ access: [1] }), /config\.access\[0\] must be a string/);
    });
  });

  describe('Dynamically terminate the request', () => {
    it('kong.response.exit stops that function, the ones after it and the phase', async () => {
      const plugin = instance([
        mark('before'),
        `try {
          kong.response.exit(403, { message: 'no' }, { 'x-why': 'because' });
          await kong.nginx.setCtx('mark', 'after');
        } catch { await kong.nginx.setCtx('mark', 'catch'); }
        finally { await kong.nginx.setCtx('mark', 'finally'); }`,
        mark('next function'),
      ]);
      const { calls, exited } = await request(plugin);
      assert.equal(exited, true);
      assert.deepEqual(calls, [
        ['nginx.setCtx', 'mark', 'before'],
        ['response.exit', 403, { message: 'no' }, { 'x-why': 'because' }],
      ]);
      plugin.close();
    });

    for (const [where, source] of Object.entries({
      'awaited, in a function that catches': `
        const deny = async () => { await kong.request.getPath(); kong.response.exit(401); };
        try { await deny(); } catch { ${mark('catch')} } finally { ${mark('finally')} }
        ${mark('after')}`,
      'not awaited': `
        (async () => { kong.response.exit(401); })();
        kong.nginx.setCtx('mark', 'after');`,
      'in a promise executor': `await new Promise(() => kong.response.exit(401)); ${mark('after')}`,
      'in a then callback': `
        await kong.request.getPath().then(() => kong.response.exit(401)).catch(() => 1).finally(() => 2);
        ${mark('after')}`,
      'in one branch of Promise.all': `
        await Promise.all([(async () => kong.response.exit(401))(), (async () => { ${mark('other')} })()]);
        ${mark('after')}`,
      'in a callback of a built-in': `[1, 2].forEach(() => kong.response.exit(401)); ${mark('after')}`,
      'in a generator that is left': `
        function* g() { try { yield 1; } finally { kong.nginx.setCtx('mark', 'left'); } }
        for (const x of g()) kong.response.exit(401);`,
    })) {
      it(`and nothing runs behind it: ${where}`, async () => {
        const plugin = instance([source, mark('next function')]);
        const { calls, exited } = await request(plugin);
        assert.equal(exited, true);
        const made = calls.filter(([method]) => method !== 'request.getPath');
        assert.deepEqual(made, [['response.exit', 401]]);
        plugin.close();
      });
    }

    it('the instance and its state live on', async () => {
      const plugin = instance(`let n = 0; return () => { n++; kong.response.exit(200, String(n)); }`);
      for (const n of ['1', '2', '3']) {
        assert.deepEqual((await request(plugin)).calls, [['response.exit', 200, n]]);
      }
      plugin.close();
    });
  });

  describe('Upvalues', () => {
    const COUNTER = `
      // this runs once on the first request
      let count = 0;
      await kong.log.err('outer');
      return async () => {
        // this runs on each request
        count = count + 1;
        await kong.log.err('hello world: ', count);
      };`;

    it('return a function to run on each request, to keep state in between requests', async () => {
      const plugin = instance(COUNTER);
      const lines: unknown[] = [];
      for (let i = 0; i < 3; i++) {
        for (const [, ...parts] of (await request(plugin)).calls) lines.push(parts.join(''));
      }
      assert.deepEqual(lines, ['outer', 'hello world: 1', 'hello world: 2', 'hello world: 3']);
      plugin.close();
    });

    it('the outer part runs once, also when the first requests come together', async () => {
      const plugin = instance(COUNTER);
      const outcomes = await Promise.all([1, 2, 3, 4, 5].map(() => request(plugin)));
      const lines = outcomes.flatMap(({ calls }) => calls.map(([, ...parts]) => parts.join(''))).sort();
      assert.deepEqual(
        lines,
        ['outer', ...[1, 2, 3, 4, 5].map((n) => `hello world: ${n}`)].sort(),
        JSON.stringify(outcomes),
      );
      plugin.close();
    });

    it('an outer part that ends the request or fails runs again at the next one', async () => {
      const plugin = instance(`
        if ((await kong.request.getHeader('ready')) !== 'yes') kong.response.exit(503);
        let n = 0;
        return () => kong.nginx.setCtx('n', ++n);`);
      const ready = { 'request.getHeader': 'yes' };
      assert.equal((await request(plugin)).exited, true);
      await request(plugin, ready);
      const { calls } = await request(plugin);
      assert.deepEqual(calls, [['nginx.setCtx', 'n', 2]]);
      plugin.close();
    });

    it('instances do not share them', async () => {
      const [one, two] = [instance(COUNTER), instance(COUNTER)];
      await request(one);
      await request(one);
      assert.deepEqual((await request(two)).calls.at(-1), ['log.err', 'hello world: ', '1']);
      one.close();
      two.close();
    });
  });

  describe('Sandboxing: what is not available because it can be used to abuse the system', () => {
    it("string.rep: 'x'.repeat cannot allocate without bound", async () => {
      const { error } = await once(`'x'.repeat(1e9); ${mark('after')}`);
      assert.match(error?.message ?? '', /16 MB of memory/);
    });

    it('{set|get}metatable: prototypes of global objects cannot be modified', async () => {
      for (const change of [
        `Array.prototype.evil = 1`,
        `Object.prototype.evil = 1`,
        `String.prototype.trim = () => 'evil'`,
        `Object.setPrototypeOf(Array.prototype, { evil: 1 })`,
        `Object.defineProperty(Promise.prototype, 'then', { value: 1 })`,
        `Object.getPrototypeOf(async () => {}).evil = 1`,
        `(1).constructor.prototype.evil = 1`,
        `__proto__.evil = 1`,
        `kong.request.getHeader = () => 'evil'`,
        `kong.__proto__ = {}`,
        `console.log = 1`,
        `Object.prototype.toString = () => 'evil'`,
      ]) {
        const { error } = await once(change);
        assert.match(error?.message ?? 'nothing was thrown', /TypeError|ReferenceError/, change);
      }
    });

    it('collectgarbage: there is no way to the collector', async () => {
      assert.deepEqual(await evaluate(`[typeof gc, typeof WeakRef, typeof FinalizationRegistry]`), [
        'undefined',
        'undefined',
        'undefined',
      ]);
    });

    it('_G: globals cannot be written, so nothing passes from one function to another that way', async () => {
      for (const write of [
        `globalThis.x = 1`,
        `x = 1`,
        `globalThis.kong = 1`,
        `Object.assign(globalThis, { x: 1 })`,
      ]) {
        const plugin = instance([write, `await kong.nginx.setCtx('x', typeof x)`]);
        assert.match((await request(plugin)).error?.message ?? '', /TypeError|ReferenceError/, write);
        plugin.close();
      }
      assert.equal(await evaluate(`(function () { return this === undefined; })()`), true);
    });

    it('load{file|string}: code cannot be made from text', async () => {
      assert.equal(await evaluate(`typeof eval`), 'undefined');
      for (const make of [
        `Function('return 1')`,
        `new Function('return 1')`,
        `(() => {}).constructor('return 1')`,
        `(async () => {}).constructor('return 1')`,
        `(function* () {}).constructor('return 1')`,
        `(async function* () {}).constructor('return 1')`,
        `Reflect.construct(Function, ['return 1'], class {})`,
        `new (class extends (async () => {}).constructor {})('return 1')`,
      ]) {
        assert.match((await once(make)).error?.message ?? '', /EvalError/, make);
      }
    });

    it('raw{get|set|equal}: Reflect and defineProperty do not get around read-only modules', async () => {
      assert.deepEqual(
        await evaluate(`[
          Reflect.set(Math, 'PI', 3), Reflect.defineProperty(JSON, 'parse', { value: 1 }),
          Reflect.setPrototypeOf(kong, null), Reflect.deleteProperty(globalThis, 'kong'), Reflect.set(Math, 'x', 1, Math)]`),
        [false, false, false, false, false],
      );
    });

    it('string.dump: functions do not show how they are made', async () => {
      const shown = await evaluate(
        `[kong.request.getHeader, Function.prototype.toString, URL, Array.prototype.indexOf].map((f) => '' + f)`,
      );
      for (const text of shown as string[]) assert.match(text, /^function \w+\(\) \{ \[native code\] \}$/);
    });

    it('math.randomseed: the generator cannot be seeded', async () => {
      assert.deepEqual(
        await evaluate(`[Object.keys(Math).includes('seed'), Math.random() === Math.random()]`),
        [false, false],
      );
    });

    it('os.* except the clock: no process, no environment; Date tells the time', async () => {
      assert.deepEqual(
        await evaluate(`[typeof process, typeof os, typeof std, typeof Deno]`),
        Array(4).fill('undefined'),
      );
      const now = (await evaluate('Date.now()')) as number;
      assert.ok(Math.abs(now - Date.now()) < 60_000);
    });

    it('io.*: no files, no network, no timers', async () => {
      assert.deepEqual(
        await evaluate(`[typeof fetch, typeof XMLHttpRequest, typeof WebSocket, typeof setTimeout, typeof setInterval,
          typeof setImmediate, typeof Buffer, typeof Worker]`),
        Array(8).fill('undefined'),
      );
    });

    it('dofile|require: no modules', async () => {
      assert.deepEqual(
        await evaluate(`[typeof require, typeof module, typeof exports]`),
        Array(3).fill('undefined'),
      );
      for (const source of [
        `await import('fs')`,
        `import fs from 'fs'`,
        `import.meta.url`,
        `export const x = 1`,
      ]) {
        assert.throws(
          () => instance(source),
          /js-pre-function access\[0\]:1:\d+: modules are not available/,
          source,
        );
      }
    });

    it('all the provided modules are read-only', async () => {
      const found = await evaluate(`(() => {
        const seen = new Set(), open = [], queue = [['globalThis', globalThis]];
        for (const [name, value] of queue) {
          if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
          seen.add(value);
          if (!Object.isFrozen(value)) open.push(name);
          queue.push([name + '.__proto__', Object.getPrototypeOf(value)]);
          for (const key of Reflect.ownKeys(value)) {
            const { value: inner, get, set } = Object.getOwnPropertyDescriptor(value, key);
            for (const next of [inner, get, set]) queue.push([name + '.' + String(key), next]);
          }
        }
        return { open, seen: seen.size > 300 };
      })()`);
      assert.deepEqual(found, { open: [], seen: true });
    });

    it('bytecode execution is disabled', async () => {
      assert.equal(await evaluate(`typeof bjson + typeof WebAssembly`), 'undefinedundefined');
    });
  });

  describe('Warning: disable the plugin if there are concerns', () => {
    const withPolicy = (value: string, work: () => void) => {
      process.env['KONG_TS_UNTRUSTED_JS'] = value;
      try {
        work();
      } finally {
        delete process.env['KONG_TS_UNTRUSTED_JS'];
      }
    };

    it('KONG_TS_UNTRUSTED_JS=off refuses instances', () => {
      withPolicy('off', () =>
        assert.throws(() => instance('1'), /js-pre-function: .*KONG_TS_UNTRUSTED_JS=off/),
      );
    });

    it('an unknown value refuses them, too', () => {
      withPolicy('of', () => assert.throws(() => instance('1'), /must be sandbox or off, not "of"/));
    });

    it('KONG_TS_UNTRUSTED_JS=sandbox is the default', () => {
      withPolicy('sandbox', () => instance('1'));
    });
  });
});
