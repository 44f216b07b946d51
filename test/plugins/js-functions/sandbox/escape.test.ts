import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate, instance, once, request } from './support.js';

/** A limit that the abuse is to meet, so that the test does not take long. */
const SHORT = { max_cpu_ms: 50, max_wall_ms: 1500 };
const STOPPED = /stopped: over the limit of|over the limit of/;

/** The function meets a limit, and the instance serves on. */
async function isStopped(source: string, limit: RegExp = STOPPED): Promise<void> {
  const plugin = instance({
    ...SHORT,
    access: [`if ((await kong.request.getMethod()) === 'GET') { ${source} }`, `await kong.log.notice('end')`],
  });
  const { error, calls } = await request(plugin, { 'request.getMethod': 'GET' });
  assert.match(error?.message ?? `nothing was stopped: ${JSON.stringify(calls)}`, limit);
  assert.deepEqual(
    calls.filter(([method]) => method === 'log.notice'),
    [],
  );
  // On a machine that is busy with other tests even this may take long, but it is not stopped for ever.
  for (let attempt = 1; ; attempt++) {
    const next = await request(plugin, { 'request.getMethod': 'POST' });
    if (next.error === undefined) {
      assert.deepEqual(next.calls.at(-1), ['log.notice', 'end']);
      break;
    }
    assert.ok(attempt < 5, next.error.message);
  }
  plugin.close();
}

describe('escape suite', () => {
  describe('prototype and constructor chains', () => {
    it('every object that is reachable ends at the own Object.prototype, and no constructor makes code', async () => {
      const found = (await evaluate(`(() => {
        const seen = new Set(), made = [];
        const queue = [['global', globalThis], ['args', arguments], ['error', new Error('x')], ['regexp', /x/],
          ['match', 'a'.match(/a/)], ['iterator', [][Symbol.iterator]()], ['promise', kong.request.getHeader('x')],
          ['bytes', new TextEncoder().encode('x')], ['generator', (function* () {})()], ['symbol', Symbol.iterator]];
        for (const [name, value] of queue) {
          if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
          seen.add(value);
          if (typeof value === 'function' && name.endsWith('constructor')) {
            try { const r = value('return globalThis.process || 1'); if (typeof r === 'function') made.push([name, typeof r()]); } catch {}
          }
          const proto = Object.getPrototypeOf(value);
          queue.push([name + '.__proto__', proto]);
          for (const key of Reflect.ownKeys(value)) {
            try { queue.push([name + '.' + String(key), value[key]]); } catch {}
          }
          if (proto === null && value !== Object.prototype && typeof value === 'object' && name !== 'global' && 'toString' in value) made.push([name]);
        }
        return { made, size: seen.size > 300, names: queue.map(([n]) => n).filter((n) => /process|require|mainModule|host\\b/.test(n)) };
      })()`)) as { made: unknown[]; size: boolean; names: string[] };
      assert.deepEqual(found, { made: [], size: true, names: [] });
    });

    it('what the PDK returns is of the inside', async () => {
      const plugin = instance(`
        const headers = await kong.request.getHeaders(), body = await kong.request.getRawBody();
        await kong.nginx.setCtx('is', [
          Object.getPrototypeOf(headers) === Object.prototype, headers.list instanceof Array,
          body instanceof Uint8Array, String(body.constructor.constructor) === String(Function),
          typeof headers.constructor.constructor.prototype, 'polluted' in {}, typeof headers.fn, typeof headers.deep.date]);`);
      class Host {
        list = ['a'];
        fn = () => process;
        deep = { date: new Date() };
      }
      const { calls, error } = await request(plugin, {
        'request.getHeaders': Object.assign(new Host(), JSON.parse('{"__proto__": {"polluted": 1}}')),
        'request.getRawBody': Buffer.from('body'),
      });
      assert.equal(error, undefined);
      assert.deepEqual(calls.at(-1)?.[2], [true, true, true, true, 'function', false, 'undefined', 'string']);
      plugin.close();
    });

    it('a key __proto__ does not get out', async () => {
      const { error, calls } = await once(
        `await kong.nginx.setCtx('x', JSON.parse('{"a": {"__proto__": {"b": 1}}}'))`,
      );
      assert.match(error?.message ?? '', /__proto__/);
      assert.deepEqual(calls, []);
    });
  });

  describe('getters and proxies thrown across the boundary', () => {
    it('getters are read inside, once, under the limits', async () => {
      const { calls } = await once(`
        let reads = 0;
        await kong.nginx.setCtx('x', { get a() { return ++reads; }, toJSON: undefined });
        await kong.nginx.setCtx('y', { toJSON() { return { b: reads }; } });`);
      assert.deepEqual(calls, [
        ['nginx.setCtx', 'x', { a: 1 }],
        ['nginx.setCtx', 'y', { b: 1 }],
      ]);
    });

    it('a proxy as an argument is read inside', async () => {
      const { calls } = await once(`
        await kong.nginx.setCtx('x', new Proxy({ a: 1 }, { get: (t, k) => (k === 'toJSON' ? undefined : 'trapped ' + String(k)) }));`);
      assert.deepEqual(calls, [['nginx.setCtx', 'x', { a: 'trapped a' }]]);
    });

    for (const [what, thrown] of Object.entries({
      'a proxy that throws at everything': `new Proxy({}, new Proxy({}, { get() { throw 1; } }))`,
      'an error with throwing getters': `Object.defineProperties(new Error(), { message: { get() { throw new Error('again'); } }, stack: { get() { throw 2; } } })`,
      'an error whose name is an object': `Object.assign(new Error('m'), { name: { toString() { return 'N'; } } })`,
      'a function': `() => 1`,
      'a symbol': `Symbol('s')`,
      undefined: `undefined`,
      'an object without a prototype': `Object.create(null)`,
      'a revoked proxy': `(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()`,
    })) {
      it(`thrown: ${what}`, async () => {
        const { error } = await once(`throw ${thrown}`);
        assert.match(error?.message ?? '', /^js-pre-function access\[0\]/);
        assert.equal((error as { code?: string }).code, 'JS_FUNCTION');
      });
    }

    it('a getter that does not end is stopped', () =>
      isStopped(`await kong.nginx.setCtx('x', { get a() { for (;;); } })`));

    it('a thenable as a result is not called by the host', async () => {
      const { calls, error } = await once(`
        const x = await { then(resolve) { kong.log.notice('called inside'); resolve(5); } };
        await kong.log.notice(x);`);
      assert.equal(error, undefined);
      assert.deepEqual(calls, [
        ['log.notice', 'called inside'],
        ['log.notice', '5'],
      ]);
    });

    it('a method taken off kong, called on anything, stays what it is', async () => {
      const { calls } = await once(`
        const f = kong.log.notice; await f.call({ get constructor() { throw 1; } }, 'a'); await Reflect.apply(f, null, ['b']);`);
      assert.deepEqual(calls, [
        ['log.notice', 'a'],
        ['log.notice', 'b'],
      ]);
    });
  });

  describe('Function, generators and async generators', () => {
    it('their constructors refuse, however they are reached', async () => {
      const refused =
        await evaluate(`[() => {}, async () => {}, function* () {}, async function* () {}, class {}, Math.max, kong.request.getHeader]
        .flatMap((f) => [f.constructor, Object.getPrototypeOf(f).constructor, f.__proto__.constructor])
        .map((make) => { try { make('return 1'); return 'made'; } catch (e) { return e.name; } })`);
      assert.deepEqual(new Set(refused as string[]), new Set(['EvalError']));
    });

    it('async generators work, and keep to their request', async () => {
      const { calls, error } = await once(`
        async function* pages() { for (let i = 0; i < 3; i++) yield (await kong.request.getPath()) ?? i; }
        outer: for await (const page of pages()) { if (page === 1) continue outer; await kong.log.notice(page); }
        const rest = pages();
        await rest.next(); await rest.return();
        await kong.log.notice('end');`);
      assert.equal(error, undefined);
      assert.deepEqual(
        calls.filter(([method]) => method === 'log.notice').map(([, text]) => text),
        ['0', '2', 'end'],
      );
    });

    it('an async generator that does not end is stopped', () =>
      isStopped(`for await (const x of (async function* () { for (;;) yield 1; })()) ;`));
  });

  describe('error stack tricks', () => {
    it('no hook sees frames', async () => {
      assert.deepEqual(
        await evaluate(
          `[typeof Error.captureStackTrace, typeof Error.prepareStackTrace, Object.isFrozen(Error)]`,
        ),
        ['undefined', 'undefined', true],
      );
      const { error } = await once(`Error.prepareStackTrace = (e, frames) => frames; new Error().stack`);
      assert.match(error?.message ?? '', /TypeError/);
    });

    it('stacks hold no path of the host', async () => {
      const stacks = (await evaluate(`(() => {
        const stacks = [new Error().stack];
        try { null.x; } catch (e) { stacks.push(e.stack); }
        try { new URL('x'); } catch (e) { stacks.push(e.stack, e.message); }
        try { crypto.sha256(1); } catch (e) { stacks.push(e.stack); }
        (function f(n) { n ? f(n - 1) : stacks.push(new Error().stack); })(20);
        return stacks.join('\\n');
      })()`)) as string;
      assert.doesNotMatch(stacks, /node:|\.ts\b|\.js\b|file:|\/|\\/);
      assert.match(stacks, /access\[0\]/);
    });

    it('a forged stack only misleads about the place', async () => {
      const { error } = await once(
        `const e = new Error('x'); e.stack = 'at (access[7]:1:1)\\nat (access[0]:99999:99999)'; throw e;`,
      );
      assert.match(error?.message ?? '', /^js-pre-function access\[0\]:\d+:\d+: Error: x$/);
    });

    it('a stack overflow in the error handling is an error', () =>
      isStopped(`const f = () => { try { f(); } catch { f(); } }; f();`));
  });

  describe('giant strings, arrays and regular expressions', () => {
    const MEMORY =
      /MB of memory|out of memory|RangeError|string too long|stack overflow|processor time|over the limit of \d+ ms/;
    for (const [what, source] of Object.entries({
      repeat: `'x'.repeat(2 ** 30)`,
      padEnd: `'x'.padEnd(2 ** 30, 'ab')`,
      'doubling a string': `let s = 'x'; for (;;) { s += s; s.charCodeAt(0); }`,
      'joining an array': `Array(1e6).fill('x'.repeat(1000)).join()`,
      'a growing array': `const a = []; for (;;) a.push(a.length);`,
      'a typed array': `new Float64Array(1e8)`,
      'an ArrayBuffer': `new ArrayBuffer(2 ** 31)`,
      'a growing map': `const m = new Map(); for (;;) m.set({}, m.size);`,
      'nested JSON': `JSON.parse('['.repeat(1e5) + ']'.repeat(1e5)); JSON.stringify(Array(1e6).fill({ a: 'x'.repeat(100) }))`,
      'JSON of a graph that doubles': `let o = {}; for (let i = 0; i < 40; i++) o = { a: o, b: o }; await kong.nginx.setCtx('x', o);`,
      'many small allocations': `const keep = []; for (let i = 0; i < 1e6; i++) keep.push({ i, s: 's' + i });`,
      'many closures': `let f = () => 0; for (let i = 0; i < 1e7; i++) { const g = f; f = () => g; }`,
      'many symbols': `const a = []; for (;;) a.push(Symbol('x'));`,
      'String.raw without end': `String.raw({ raw: { length: 2 ** 53 - 1, 0: 'x' } })`,
    })) {
      it(what, () => isStopped(source, MEMORY));
    }

    for (const [what, source] of Object.entries({
      backtracking: `/(a+)+$/.test('a'.repeat(60) + 'b')`,
      'backtracking in replace': `('a'.repeat(60) + 'b').replace(/(a|a)*$/, '')`,
      'backtracking in split': `('a'.repeat(60) + 'b').split(/(a|aa)+$/)`,
      'a long needle in a long string': `for (;;) 'a'.repeat(2e6).indexOf('a'.repeat(1e6) + 'b')`,
      'a long needle, replaceAll': `for (;;) 'a'.repeat(2e6).replaceAll('a'.repeat(1e6) + 'b', 'c')`,
      'a long needle, split': `for (;;) 'a'.repeat(2e6).split('a'.repeat(1e6) + 'b')`,
      'comparing long strings': `const a = 'x'.repeat(3e6), b = 'x'.repeat(3e6); for (;;) a === b;`,
      'copying long strings': `const a = 'x'.repeat(3e6); for (;;) a.slice(1) + 'y';`,
      sorting: `const a = []; for (let i = 0; i < 3e5; i++) a.push(i * 7919 % 300007); for (;;) [...a].sort();`,
      'sorting bytes': `for (;;) new Uint8Array(4e6).map((_, i) => i * 7919).sort();`,
      'flattening a graph that doubles': `let a = []; for (let i = 0; i < 60; i++) a = [a, a]; a.flat(Infinity)`,
      'a long regular expression': `for (;;) new RegExp('a'.repeat(1e5)).test('a'.repeat(2e5));`,
      'the same by another constructor': `for (;;) /a/.constructor('a'.repeat(1e5));`,
      'the same of a split': `for (;;) 'a'.repeat(2e5).split(new (class extends RegExp {})('a'.repeat(1e5)));`,
      'the same, written out': `for (;;) /${'a'.repeat(20_000)}/.test('a'.repeat(1e5));`,
      'a sparse array': `for (;;) { const a = []; a.length = 9e5; a.indexOf(1); }`,
    })) {
      it(`${what} is interrupted`, () => isStopped(source, STOPPED));
    }

    for (const [what, source] of Object.entries({
      'indexOf of an object that claims to be long': `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`,
      'a proxy that lies about its length': `[].indexOf.call(new Proxy([], { get: () => 2 ** 53 - 1 }), 1)`,
      'an object behind a proxy': `[].indexOf.call(Object.create(new Proxy({}, { get: () => 2 ** 53 - 1, has: () => false })), 1)`,
      'a length that is an object': `[].indexOf.call({ length: { valueOf: () => 2 ** 53 - 1 } }, 1)`,
      'the longest array': `new Array(2 ** 32 - 1).join('')`,
      'reversing the longest array': `new Array(2 ** 32 - 1).reverse()`,
      'forEach over the longest array': `new Array(2 ** 32 - 1).forEach(() => 1)`,
      'apply with a million arguments': `Math.max.apply(null, { length: 2 ** 31 })`,
    })) {
      it(`${what} is refused or stopped`, async () => {
        const { error } = await once(source, SHORT);
        assert.match(error?.message ?? 'not refused', /RangeError|TypeError|InternalError|over the limit of/);
      });
    }

    it('a length is read once, and cannot change its mind', async () => {
      const found = await evaluate(`(() => {
        let n = 0;
        return [[].includes.call({ get length() { return n++ ? 2 ** 53 - 1 : 1; } }, 1), n];
      })()`);
      assert.deepEqual(found, [false, 1]);
    });

    it('long needles are found where short ones would be', async () => {
      const found = await evaluate(`(() => {
        const n = 'ab'.repeat(3000), hay = (n + 'x').repeat(3) + 'tail';
        return [hay.indexOf(n), hay.indexOf(n, 5), hay.includes(n + 'y'), hay.split(n), hay.split(n, 2),
          hay.replace(n, '[$$$&$]').length, hay.replaceAll(n, (_, at) => '@' + at), hay.replaceAll(n, '<$\`').length];
      })()`);
      const n = 'ab'.repeat(3000);
      const hay = `${`${n}x`.repeat(3)}tail`;
      assert.deepEqual(found, [
        0,
        6001,
        false,
        hay.split(n),
        hay.split(n, 2),
        hay.replace(n, '[$$$&$]').length,
        hay.replaceAll(n, (_, at) => `@${at}`),
        hay.replaceAll(n, '<$`').length,
      ]);
    });

    it('there is no BigInt to compute for ever with', async () => {
      assert.throws(() => instance('2n ** 1000000n'), /BigInt is not available/);
      assert.deepEqual(
        await evaluate(`[typeof BigInt, typeof BigInt64Array, typeof DataView.prototype.getBigInt64]`),
        ['undefined', 'undefined', 'undefined'],
      );
    });

    it('nor shared memory to wait on', async () => {
      assert.deepEqual(await evaluate(`[typeof SharedArrayBuffer, typeof Atomics]`), [
        'undefined',
        'undefined',
      ]);
    });
  });

  describe('deep recursion', () => {
    const STACK = /InternalError: stack overflow \(over the limit of 128 KB of stack\)$/;
    const MEMORY = /InternalError: out of memory \(over the limit of 16 MB of memory\)$/;
    /** The engine does not look at its stack there, and so comes to the end of the thread's: its instance is lost. */
    const ENGINE = /the JavaScript engine failed$/;
    for (const [what, [source, expected]] of Object.entries<[string, RegExp]>({
      'a function': [`(function f() { f(); })()`, STACK],
      'with many arguments': [`(function f(...a) { f(...a, 1); })()`, STACK],
      'through built-ins': [`const f = () => [1].map(f); f();`, STACK],
      'through a getter': [`const o = { get a() { return this.a; } }; o.a;`, STACK],
      'through a proxy': [`const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.a;`, STACK],
      'through toString': [`const o = { toString() { return '' + this; } }; '' + o;`, STACK],
      'through JSON': [`const o = { toJSON() { return JSON.stringify(this); } }; JSON.stringify(o);`, STACK],
      'through a comparator': [`const f = () => [2, 1].sort(f); f();`, STACK],
      'through replace': [`const f = () => 'a'.replace(/a/, f); f();`, STACK],
      'a nested array': [`let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a);`, STACK],
      'a nested array as text': [`let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a);`, STACK],
      'a chain of proxies': [`let p = {}; for (let i = 0; i < 2e4; i++) p = new Proxy(p, {}); p.x;`, STACK],
      'a chain of bound functions': [
        `let f = () => 1; for (let i = 0; i < 2e4; i++) f = f.bind(null); f();`,
        MEMORY,
      ],
      'a chain of iterator helpers': [
        `let i = [1].values(); for (let n = 0; n < 2e4; n++) i = i.map((x) => x); i.next();`,
        ENGINE,
      ],
      'a nested regular expression': [
        `new RegExp('('.repeat(2e3) + ')'.repeat(2e3))`,
        /SyntaxError: too many captures$/,
      ],
      'an async function': [`await (async function f() { await f(); })()`, STACK],
      instanceof: [
        `class A { static [Symbol.hasInstance](v) { return v instanceof A; } } 1 instanceof A;`,
        STACK,
      ],
    })) {
      it(`${what}: an error, and the instance lives`, async () => {
        const plugin = instance([
          `if ((await kong.request.getMethod()) === 'GET') { ${source} ; throw new Error('came through'); }`,
        ]);
        const { error } = await request(plugin, { 'request.getMethod': 'GET' });
        assert.match(error?.message ?? 'nothing', expected);
        assert.equal((await request(plugin, { 'request.getMethod': 'POST' })).error, undefined);
        plugin.close();
      });
    }

    it('what Kong decodes 1000 deep gets in, with the least stack', async () => {
      const plugin = instance({
        max_stack_kb: 32,
        access: [
          `let n = 0; for (let x = await kong.request.getBody(); x; x = x[0]) n++; await kong.log.notice(n);`,
        ],
      });
      let body: unknown[] = [];
      for (let depth = 1; depth < 1000; depth++) body = [body];
      const { calls } = await request(plugin, { 'request.getBody': body });
      assert.deepEqual(calls.at(-1), ['log.notice', '1000']);
      plugin.close();
    });

    it('structures that nest deeply do not get to the host', async () => {
      const { error } = await once(
        `let a = []; for (let i = 0; i < 200; i++) a = [a]; await kong.nginx.setCtx('x', a);`,
      );
      assert.match(error?.message ?? '', /nested more than 64 deep/);
    });
  });

  describe('endless loops', () => {
    for (const [what, source] of Object.entries({
      sync: `for (;;);`,
      'sync, behind try and finally': `for (;;) { try { for (;;); } catch { for (;;); } finally { for (;;); } }`,
      'in a promise executor': `new Promise(() => { for (;;); })`,
      'in a then callback': `await Promise.resolve().then(() => { for (;;); })`,
      'in a thenable': `await { then() { for (;;); } }`,
      'in toString of an argument': `await kong.log.notice({ toString() { for (;;); }, toJSON() { for (;;); } })`,
      'in an iterator': `const it = { [Symbol.iterator]: () => it, next: () => ({ value: 1 }) }; new Set(it); [...it];`,
      'async, awaiting nothing': `for (;;) await null;`,
      'async, awaiting the PDK': `for (;;) await kong.request.getPath();`,
      'microtasks that follow one another': `await new Promise(() => { (function f() { Promise.resolve().then(f); })(); })`,
      'a promise that waits': `await new Promise(() => {})`,
    })) {
      it(what, () => isStopped(source));
    }

    it('microtasks that nobody waits for end with the run', async () => {
      const plugin = instance({
        max_cpu_ms: 5000,
        access: [
          `(function f() { Promise.resolve().then(f); })(); (async () => { for (;;) await null; })();`,
        ],
      });
      const { error } = await request(plugin);
      assert.equal(error, undefined);
      assert.equal((await request(plugin)).error, undefined);
      plugin.close();
    });
  });

  describe('promise bombs', () => {
    for (const [what, source] of Object.entries({
      'forking async functions': `const f = async () => { await null; f(); f(); }; await f(); await new Promise(() => {});`,
      'a million promises': `const all = []; for (let i = 0; i < 1e6; i++) all.push(new Promise(() => {})); await Promise.all(all);`,
      'a long then chain': `let p = Promise.resolve(); for (let i = 0; i < 1e6; i++) p = p.then(() => {}); await p;`,
      'rejections that nobody handles': `for (;;) Promise.reject(new Error('x'));`,
    })) {
      it(what, () => isStopped(source));
    }

    it('calls of the PDK in a flood', async () => {
      const { error, calls } = await once(`for (let i = 0; i < 1e5; i++) kong.request.getHeader('x');`);
      assert.match(error?.message ?? '', /over the limit of 100 PDK calls/);
      assert.equal(calls.length, 100);
    });

    it('log lines in a flood', async () => {
      const { error, calls } = await once(`for (;;) console.log('x');`);
      assert.match(error?.message ?? '', /over the limit of 100 PDK calls/);
      assert.equal(calls.length, 100);
    });
  });

  describe('memory growth', () => {
    it('across a million small allocations that are let go: none', async () => {
      const plugin = instance(`
        for (let i = 0; i < 1e6; i++) { const o = { i, s: 's' + i, a: [i] }; if (o.a[0] !== i) throw o; }`);
      const { error } = await request(plugin);
      assert.equal(error, undefined);
      const before = plugin.memoryUsed();
      await request(plugin);
      assert.ok(plugin.memoryUsed() - before < 64 * 1024, `${before} -> ${plugin.memoryUsed()}`);
      plugin.close();
    });

    it('state that a function keeps counts against its instance', async () => {
      const plugin = instance({
        max_memory_mb: 4,
        access: ['const kept = []; return () => { kept.push(new Uint8Array(1e5)); };'],
      });
      let stopped: Error | undefined;
      for (let i = 0; i < 200 && stopped === undefined; i++) stopped = (await request(plugin)).error;
      assert.match(stopped?.message ?? '', /over the limit of 4 MB of memory/);
      assert.equal((await request(plugin)).error, undefined, 'a new isolate has room again');
      plugin.close();
    });
  });
});
