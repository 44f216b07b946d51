import { metrics } from 'kong-ts-pluginserver';
import type { LimitKind } from './sandbox/limits.js';

const hits = metrics.counter(
  'kong_ts_js_limit_hits_total',
  'Runs of functions from the configuration that were stopped by a limit.',
  ['plugin', 'limit'],
);

/** Counts a run that was stopped by a limit. */
export function countLimit(plugin: string, limit: LimitKind): void {
  hits.inc({ plugin, limit });
}
