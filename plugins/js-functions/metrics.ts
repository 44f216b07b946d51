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

const ends = metrics.counter(
  'kong_ts_js_thread_ends_total',
  'Worker threads that were ended for what a function did in them.',
  ['plugin', 'limit'],
);

/** Counts a thread that had to be ended. */
export function countThreadEnd(plugin: string, limit: LimitKind): void {
  ends.inc({ plugin, limit });
}
