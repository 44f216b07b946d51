import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { measureWith } from '../../../../src/api/metrics.js';
import { instance, request } from './support.js';

const counted = new Map<string, number>();
const ignore = () => () => {};

describe('kong_ts_js_limit_hits_total', () => {
  before(() =>
    measureWith({
      counter: (name) => (labels, n) => {
        const key = `${name} ${labels['plugin']} ${labels['limit']}`;
        counted.set(key, (counted.get(key) ?? 0) + n);
      },
      gauge: ignore,
      histogram: ignore,
    }),
  );
  after(() => measureWith(undefined));

  for (const [limit, source, config] of [
    ['cpu', 'for (;;);', { max_cpu_ms: 10 }],
    ['memory', 'const a = []; for (;;) a.push(new Uint8Array(10000));', { max_memory_mb: 2 }],
    ['stack', '(function f() { f(); })();', {}],
    ['wall', 'await new Promise(() => {});', { max_wall_ms: 50 }],
    ['pdk_calls', 'for (;;) kong.request.getPath();', { max_pdk_calls: 3 }],
    ['output', `kong.log.notice('x'.repeat(5000));`, { max_output_kb: 1 }],
  ] as const) {
    it(`counts a run that is over its limit once: ${limit}`, async () => {
      const key = `kong_ts_js_limit_hits_total js-pre-function ${limit}`;
      const seen = counted.get(key) ?? 0;
      const plugin = instance({ ...config, access: [source] });
      const { error } = await request(plugin);
      assert.match(error?.message ?? '', /over the limit of/);
      assert.equal(counted.get(key), seen + 1);
      plugin.close();
    });
  }

  it('counts the end of a thread, and what is suspended', async () => {
    const plugin = instance({
      max_cpu_ms: 10,
      access: [`const s = 'a'.repeat(2e6); for (;;) s.lastIndexOf('b' + 'a'.repeat(1e6));`],
    });
    for (let i = 0; i < 4; i++) await request(plugin);
    assert.equal(counted.get('kong_ts_js_thread_ends_total js-pre-function cpu'), 3);
    assert.equal(counted.get('kong_ts_js_limit_hits_total js-pre-function suspended'), 1);
    plugin.close();
  });
});
