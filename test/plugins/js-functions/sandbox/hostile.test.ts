import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { given, HOSTILE } from './hostile-cases.js';
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

describe(`what takes time or memory, without end (${HOSTILE.length} kinds)`, () => {
  it('hurts nobody but itself', async (test) => {
    assert.ok(HOSTILE.length >= 100, `${HOSTILE.length} cases`);
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
    let memory = process.memoryUsage.rss();
    const faults: string[] = [];
    const measure = async (source: string): Promise<{ faults: string[]; slow: string[] }> => {
      const faults: string[] = [];
      const slow: string[] = [];
      const plugin = instance({
        max_cpu_ms: CPU_MS,
        max_memory_mb: MEMORY_MB,
        access: [
          `if ((await kong.request.getMethod()) === 'x') { ${given(source)} for (;;) { ${source}; } }`,
        ],
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
    for (const [number, source] of (ALONE ? [...HOSTILE, ...HOSTILE] : HOSTILE).entries()) {
      if (number % ONE_IN !== 0) continue;
      // Every kind has come and gone once by then: what is kept for the next ones is no leak.
      if (number === HOSTILE.length) memory = process.memoryUsage.rss();
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
