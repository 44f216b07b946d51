import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { instance, request } from './support.js';

/** Alone on its machine this holds the promise to its word; beside other tests there is room for their load. */
const ALONE = process.env['KONG_TS_TESTS'] === 'full';
const CPU_MS = 10;
const MEMORY_MB = 16;
const ENDED_WITHIN_MS = ALONE ? CPU_MS + 100 : 5000;
const LONGEST_PAUSE_MS = ALONE ? 30 : 1000;
const NEIGHBOUR_MS = ALONE ? 50 : 3000;
/** What is left out where the table is not run in full: every case but one in so many. */
const ONE_IN = ALONE ? 1 : 6;
const ATTEMPTS = 3;
/** Beside the engine's own stack and the memory of the threads that come and go. */
const MEMORY_SLACK_MB = 32;

/** Expressions that take time or memory. `s`: a long text, `a`: a long array, `b`: many bytes. */
const SETUP = `const s = 'ab'.repeat(5e5), m = '\\u0315\\u0300'.repeat(6e4), a = Array.from({ length: 2e5 }, (_, i) => i * 7919 % 200003), b = new Uint8Array(4e6).fill(97);`;
const STRINGS = [
  `s.indexOf('ab'.repeat(2e5) + 'c')`,
  `s.lastIndexOf('c' + 'ab'.repeat(2e5))`,
  `s.includes('ab'.repeat(2e5) + 'c')`,
  `s.split('ab'.repeat(2e5) + 'c')`,
  `s.split('')`,
  `s.replace('ab'.repeat(2e5) + 'c', '')`,
  `s.replaceAll('a', 'bcd')`,
  `s.localeCompare(s + 'a')`,
  `m.localeCompare(m + 'a')`,
  `m.normalize('NFC')`,
  `m.normalize?.('NFKD')`,
  `s.padStart(5e6, 'xyz')`,
  `s.padEnd(5e6, 'xyz')`,
  `s.repeat(3)`,
  `s.toUpperCase()`,
  `s.toLowerCase()`,
  `m.toUpperCase()`,
  `s.trim()`,
  `' '.repeat(4e6).trim()`,
  `s === s.slice(1) + 'a'`,
  `s < s + 'a'`,
  `s.at(-1) + s.charCodeAt(1)`,
  `[...s]`,
  `Array.from(s)`,
  `s.concat(s, s)`,
  `String.raw({ raw: s })`,
  `s.isWellFormed()`,
  `s.toWellFormed()`,
  `parseFloat('1'.repeat(5e6))`,
  `parseInt('1'.repeat(5e6))`,
  `Number('1'.repeat(5e6))`,
  `encodeURIComponent(s)`,
  `decodeURIComponent('%41'.repeat(5e5))`,
  `escape(s)`,
  `unescape(s)`,
  `s.substring(1).split('b').join('c')`,
];
const EXPRESSIONS = [
  `/(a+)+$/.test('a'.repeat(60) + 'b')`,
  `/(a|aa)+$/.test('a'.repeat(60) + 'b')`,
  `s.match(/(?:a|b)*c/)`,
  `s.replace(/a*?b*?c/g, '')`,
  `[...s.matchAll(/a/g)]`,
  `s.split(/b/)`,
  `s.search(/(.*)*c/)`,
  `new RegExp('a'.repeat(1e6))`,
  `new RegExp('(' .repeat(1e4) + ')'.repeat(1e4))`,
  `/^(?=(a|ab)*)c/.test(s)`,
  `new RegExp('[' + s + ']', 'u').test(s)`,
  `/a{1,60000}b{1,60000}c/.test(s)`,
  `/\\p{L}+$/u.test(m)`,
  `/(?<=(a|b)+)c/.test(s)`,
];
const ARRAYS = [
  `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`,
  `[].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)`,
  `[].includes.call({ length: 2 ** 53 - 1 }, 1)`,
  `[].join.call({ length: 2 ** 32 })`,
  `[].reverse.call({ length: 2 ** 53 - 1 })`,
  `[].fill.call({ length: 2 ** 53 - 1 }, 1)`,
  `[].every.call({ length: 2 ** 53 - 1 }, () => true)`,
  `[].some.call({ length: 2 ** 53 - 1 }, () => false)`,
  `[].reduce.call({ length: 2 ** 53 - 1, 0: 1 }, (x) => x)`,
  `[].copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)`,
  `[].splice.call({ length: 2 ** 53 - 2 }, 0, 0, 1)`,
  `[].unshift.call({ length: 2 ** 53 - 2 }, 1)`,
  `new Array(2 ** 32 - 1).sort()`,
  `new Array(2 ** 32 - 1).toSorted()`,
  `new Array(2 ** 32 - 1).join('')`,
  `a.sort()`,
  `a.toSorted((x, y) => x - y)`,
  `a.flat(9)`,
  `(() => { let g = []; for (let i = 0; i < 60; i++) g = [g, g]; return g.flat(Infinity); })()`,
  `[...a].concat(a, a, a)`,
  `a.flatMap((x) => [x, x])`,
  `a.join('x'.repeat(100))`,
  `a.toString()`,
  `a.toLocaleString()`,
  `a.map(String)`,
  `a.slice().reverse()`,
  `Object.groupBy(a, (x) => x)`,
  `new Set(a).union?.(new Set(a))`,
  `new Map(a.map((x) => [x, x]))`,
  `Math.max.apply(null, { length: 1e6 })`,
  `Math.max(...a)`,
  `Object.fromEntries(a.map((x) => [x, x]))`,
  `Object.entries(Object.assign({}, a))`,
  `structuredClone(a)`,
  `Reflect.ownKeys(Object.assign({}, a)).length`,
  `a.values().map((x) => x).filter(() => false).toArray()`,
  `(() => { let i = [1].values(); for (let n = 0; n < 1e5; n++) i = i.map((x) => x); return i.next(); })()`,
  `[].values().drop(2 ** 53 - 1).next()`,
  `(function* () { for (;;) yield 1; })().drop(2 ** 40).next()`,
];
const BYTES = [
  `b.toString()`,
  `b.join()`,
  `b.sort()`,
  `b.indexOf(98)`,
  `b.lastIndexOf(98)`,
  `b.includes(98)`,
  `b.slice()`,
  `b.map((x) => x)`,
  `b.fill(1)`,
  `b.copyWithin(1, 0)`,
  `b.toSorted()`,
  `b.with(0, 1)`,
  `b.toReversed()`,
  `new Float64Array(b)`,
  `new Float64Array(1e9)`,
  `new ArrayBuffer(2 ** 31)`,
  `Array.from(b)`,
  `new Uint8Array(a).set(a)`,
];
const JSONS = [
  `JSON.stringify(s)`,
  `JSON.stringify(m)`,
  `JSON.stringify(a)`,
  `JSON.stringify({ s, a }, null, 10)`,
  `JSON.parse('[' + Array(8e5).fill('{}').join() + ']')`,
  `JSON.parse('['.repeat(1e5) + ']'.repeat(1e5))`,
  `JSON.parse('"' + s + '"')`,
  `JSON.parse('1'.repeat(2e6))`,
  `(() => { let o = {}; for (let i = 0; i < 40; i++) o = { a: o, b: o }; return JSON.stringify(o); })()`,
  `(() => { let o = []; for (let i = 0; i < 1e5; i++) o = [o]; return JSON.stringify(o); })()`,
  `JSON.parse(JSON.stringify(a), (k, v) => v)`,
];
const SERVICES = [
  `new URLSearchParams('a&'.repeat(3e6))`,
  `new URLSearchParams('a&'.repeat(9000)).toString()`,
  `new URLSearchParams(a.map((x) => [x, x])).toString()`,
  `new URL('http://x/' + s)`,
  `new URL('http://x/?' + 'a&'.repeat(4e5)).searchParams`,
  `new URL('http://' + 'a.'.repeat(1e5))`,
  `new TextEncoder().encode(s)`,
  `new TextDecoder().decode(b)`,
  `new TextDecoder('utf-16le').decode(b)`,
  `atob('QUFB'.repeat(4e5))`,
  `btoa(s)`,
  `crypto.sha256(s)`,
  `crypto.sha256(b)`,
  `crypto.hmac('sha512', b, b)`,
  `crypto.hash('sha1', b, 'bytes')`,
  `crypto.timingSafeEqual(b, b)`,
  `crypto.getRandomValues(new Uint8Array(65536))`,
  `crypto.randomUUID()`,
  `kong.log.debug(s)`,
  `console.log(a, b, s)`,
];
const OTHERS = [
  `new Proxy({}, new Proxy({}, { get: (t, k, r) => r })).x`,
  `(() => { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x; })()`,
  `(() => { let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f(); })()`,
  `Promise.all(a)`,
  `Promise.race(a.map(() => new Promise(() => {})))`,
  `new Date(1e15).toLocaleString()`,
  `Array(1e5).fill(0).map(() => Symbol('x'))`,
  `(function f() { f(); })()`,
  `(() => { const w = new WeakMap(); for (;;) w.set({}, w); })()`,
  `a.forEach(() => Promise.reject(1))`,
];

const CASES = [STRINGS, EXPRESSIONS, ARRAYS, BYTES, JSONS, SERVICES, OTHERS].flat();

describe(`what takes time or memory, without end (${CASES.length} kinds)`, () => {
  it('hurts nobody but itself', async (test) => {
    assert.ok(CASES.length >= 100, `${CASES.length} cases`);
    // Two threads: neighbours in either, one of them with the hostile one.
    const neighbours = [0, 1].map(() => instance('let n = 0; return () => kong.nginx.setCtx("n", ++n);'));
    const counts = [0, 0];
    const answered = async (at: number) => {
      const started = performance.now();
      const { calls, error } = await request(neighbours[at] as ReturnType<typeof instance>);
      return { n: error === undefined ? Number(calls[0]?.[2]) : undefined, ms: performance.now() - started };
    };
    for (const at of [0, 1]) counts[at] = (await answered(at)).n as number;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const memory = process.memoryUsage.rss();
    const faults: string[] = [];
    const measure = async (source: string): Promise<{ faults: string[]; slow: string[] }> => {
      const faults: string[] = [];
      const slow: string[] = [];
      const plugin = instance({
        max_cpu_ms: CPU_MS,
        max_memory_mb: MEMORY_MB,
        access: [`if ((await kong.request.getMethod()) === 'x') { ${SETUP} for (;;) { ${source}; } }`],
      });
      await request(plugin);
      const lost = [false, false];
      delay.reset();
      delay.enable();
      const started = performance.now();
      const stopped = request(plugin, { 'request.getMethod': 'x' }).then(({ error }) => ({
        error,
        ms: performance.now() - started,
      }));
      const meanwhile = await Promise.all([0, 1].map(answered));
      const { error, ms } = await stopped;
      delay.disable();
      for (const [at, { n }] of meanwhile.entries()) {
        if (n === undefined) lost[at] = true;
      }
      for (const at of [0, 1]) {
        const { n } = await answered(at);
        const kept = n === (counts[at] as number) + (lost[at] ? 1 : 2);
        if (n === undefined || (!kept && !lost[at] && n !== 1))
          faults.push(`${source}: neighbour ${at} lost more than one request (${n})`);
        if (!kept) lost[at] = true;
        counts[at] = n ?? 0;
      }
      if (lost[0] && lost[1]) faults.push(`${source}: both threads were hurt`);
      if (!meanwhile.some(({ n, ms: took }) => n !== undefined && took < NEIGHBOUR_MS))
        slow.push(`${source}: nobody was answered meanwhile`);
      const pause = delay.max / 1e6;
      if (error === undefined) faults.push(`${source}: went on to its end`);
      if (ms > ENDED_WITHIN_MS) slow.push(`${source}: ended after ${ms.toFixed(0)} ms`);
      if (pause > LONGEST_PAUSE_MS) slow.push(`${source}: the main thread stood for ${pause.toFixed(0)} ms`);
      plugin.close();
      return { faults, slow };
    };
    for (const [number, source] of CASES.entries()) {
      if (number % ONE_IN !== 0) continue;
      // What the machine did at that moment does not happen three times.
      for (let attempt = 1; ; attempt++) {
        const found = await measure(source);
        if (found.slow.length > 0 && attempt < ATTEMPTS) continue;
        faults.push(...found.faults, ...found.slow);
        break;
      }
    }
    const grown = (process.memoryUsage.rss() - memory) / 1024 / 1024;
    test.diagnostic(`resident memory: ${grown.toFixed(0)} MB more`);
    if (ALONE && grown > MEMORY_MB + MEMORY_SLACK_MB) faults.push(`${grown.toFixed(0)} MB are left`);
    assert.deepEqual(faults, []);
    for (const neighbour of neighbours) neighbour.close();
  });
});
