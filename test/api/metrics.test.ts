import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { measureWith, metrics } from '../../src/api/metrics.js';
import { Metrics } from '../../src/server/metrics.js';

interface Snapshot {
  name: string;
  values: { value: number; labels: Record<string, string>; metricName?: string }[];
}

describe('the metrics of plugins', () => {
  afterEach(() => measureWith(undefined));

  const valuesOf = async (registry: Metrics, name: string) =>
    ((await registry.snapshot()) as Snapshot[]).find((metric) => metric.name === name)?.values ?? [];

  it('are counted by a server that measures, two of one name as one', async () => {
    const made = () => metrics.counter('api_test_total', 'help', ['reason']);
    const [early, late] = [made(), made()];
    early.inc({ reason: 'before anybody measures' });
    const registry = new Metrics(() => 0);
    measureWith(registry.sink());
    early.inc({ reason: 'a' });
    late.inc({ reason: 'a' }, 2);
    metrics.gauge('api_test_size', 'help').set(7);
    metrics.histogram('api_test_seconds', 'help', [], [0.1, 1]).observe(0.5);
    assert.deepEqual(await valuesOf(registry, 'api_test_total'), [{ value: 3, labels: { reason: 'a' } }]);
    assert.deepEqual(
      (await valuesOf(registry, 'api_test_size')).map(({ value }) => value),
      [7],
    );
    const buckets = (await valuesOf(registry, 'api_test_seconds')).filter(({ labels }) => 'le' in labels);
    assert.deepEqual(
      buckets.map(({ value }) => value),
      [0, 1, 1],
    );
  });

  it('are silent when nobody measures any more', async () => {
    const counter = metrics.counter('api_silent_total', 'help');
    const registry = new Metrics(() => 0);
    measureWith(registry.sink());
    counter.inc();
    measureWith(undefined);
    counter.inc();
    assert.deepEqual(
      (await valuesOf(registry, 'api_silent_total')).map(({ value }) => value),
      [1],
    );
  });
});
