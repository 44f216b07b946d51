/** Adds to a counter, by label values. */
export type Count = (labels: Record<string, string>, n?: number) => void;
/** Notes one value in a histogram, by label values. */
export type Observe = (labels: Record<string, string>, value: number) => void;

/** What a server that measures puts in {@link METRICS_HOOK}. Asking twice for one name gives the same metric. */
export interface MetricsHook {
  counter(name: string, help: string, labelNames: string[]): Count;
  histogram(name: string, help: string, labelNames: string[], buckets?: number[]): Observe;
}

/** The property of `globalThis` that holds the {@link MetricsHook}; absent when nobody measures. */
export const METRICS_HOOK = Symbol.for('kong-ts-pluginserver.metrics');

/** The plugin's metrics; docs/customer-verification.md lists them. */
export interface Metrics {
  readonly results: Count;
  readonly cacheLookups: Count;
  readonly databaseErrors: Count;
  readonly redisErrors: Count;
  readonly replaysRefused: Count;
  readonly databaseSeconds: Observe;
}

const ignore = () => {};
const SILENT: Metrics = {
  results: ignore,
  cacheLookups: ignore,
  databaseErrors: ignore,
  redisErrors: ignore,
  replaysRefused: ignore,
  databaseSeconds: ignore,
};

let made: { hook: MetricsHook; metrics: Metrics } | undefined;

/** The metrics of this process; functions that do nothing when nobody measures. */
export function metrics(): Metrics {
  const hook = (globalThis as { [METRICS_HOOK]?: MetricsHook })[METRICS_HOOK];
  if (!hook) return SILENT;
  if (made?.hook !== hook) made = { hook, metrics: make(hook) };
  return made.metrics;
}

function make(hook: MetricsHook): Metrics {
  return {
    results: hook.counter(
      'customer_verification_results_total',
      'Requests by the result of their verification.',
      ['result'],
    ),
    cacheLookups: hook.counter(
      'customer_verification_cache_lookups_total',
      'Customer lookups by outcome: hit, negative_hit, miss, stale.',
      ['outcome'],
    ),
    databaseErrors: hook.counter(
      'customer_verification_database_errors_total',
      'Customer queries that failed, by kind: connection, timeout, overload, query, settings; listen for the change listener.',
      ['kind'],
    ),
    redisErrors: hook.counter(
      'customer_verification_redis_errors_total',
      'Replay checks that Redis did not answer.',
      [],
    ),
    replaysRefused: hook.counter(
      'customer_verification_replays_refused_total',
      'Good signatures that had been used before.',
      [],
    ),
    databaseSeconds: hook.histogram(
      'customer_verification_database_seconds',
      'Time from a cache miss to the answer of the database, waiting for a connection included.',
      [],
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    ),
  };
}
