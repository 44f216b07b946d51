import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instance, recordingKong } from './support.js';

/** `MEMORY_RUNS=100000` for the long form; this many show a leak of a few bytes a run as well. */
const RUNS = Number(process.env.MEMORY_RUNS ?? 8000);
const WARM_UP = RUNS / 4;

describe('memory over many runs', () => {
  it('stays flat over many runs that leave handles, promises and calls behind', async () => {
    const plugin = instance(`
      const n = await kong.request.getPort();
      kong.request.getHost();
      new Promise(() => {}).then(() => n);
      (async () => { await new Promise(() => {}); })();
      Promise.reject(n).catch(() => {});
      if (n % 10 === 0) kong.response.exit(200, { n });
      if (n % 10 === 1) throw n;`);
    let n = 0;
    const { kong } = recordingKong();
    const answers = {
      request: { getPort: () => Promise.resolve(++n), getHost: () => Promise.resolve('a.test') },
      response: kong.response,
    } as never;
    const run = async (count: number) => {
      for (let i = 0; i < count; i += 10) {
        const batch = Array.from({ length: 10 }, () => plugin.access(answers).catch(() => undefined));
        await Promise.all(batch);
      }
    };
    await run(WARM_UP);
    const before = { inside: plugin.memoryUsed(), buffers: process.memoryUsage().arrayBuffers };
    await run(RUNS - WARM_UP);
    const after = { inside: plugin.memoryUsed(), buffers: process.memoryUsage().arrayBuffers };
    assert.equal(n, RUNS);
    assert.ok(after.inside - before.inside < 64 * 1024, `inside ${before.inside} -> ${after.inside}`);
    assert.ok(after.buffers - before.buffers < 16 * 1024 * 1024, `${before.buffers} -> ${after.buffers}`);
    plugin.close();
  });

  it('the time in which runs end adds up to no limit', async () => {
    const plugin = instance({
      max_cpu_ms: 20,
      access: ['let sum = 0; for (let i = 0; i < 100; i++) sum = (sum * 31 + i) % 1009;'],
    });
    const { kong } = recordingKong();
    for (let i = 0; i < 1500; i++) await plugin.access(kong);
    plugin.close();
  });
});
