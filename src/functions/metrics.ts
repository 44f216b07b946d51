import type { LimitKind } from '../sandbox/limits.js';

type Counter = (labels: Record<string, string>, n?: number) => void;
interface Metrics {
  counter(name: string, help: string, labelNames: readonly string[]): Counter;
}

const METRICS = Symbol.for('kong-ts-pluginserver.metrics');

let counter: { readonly metrics: Metrics; readonly count: Counter } | undefined;

/** Counts a run that was stopped by a limit, where the process keeps metrics. */
export function countLimit(plugin: string, limit: LimitKind): void {
  const metrics = (globalThis as { [METRICS]?: Metrics })[METRICS];
  if (metrics === undefined) return;
  if (counter?.metrics !== metrics) {
    const count = metrics.counter(
      'kong_ts_js_limit_hits_total',
      'Runs of functions from the configuration that were stopped by a limit.',
      ['plugin', 'limit'],
    );
    counter = { metrics, count };
  }
  counter.count({ plugin, limit });
}
