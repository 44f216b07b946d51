import { metrics } from 'kong-ts-pluginserver';

// docs/customer-verification.md lists them.

export const results = metrics.counter(
  'customer_verification_results_total',
  'Requests by the result of their verification.',
  ['result'],
);

export const cacheLookups = metrics.counter(
  'customer_verification_cache_lookups_total',
  'Customer lookups by outcome: hit, negative_hit, miss, stale.',
  ['outcome'],
);

export const databaseErrors = metrics.counter(
  'customer_verification_database_errors_total',
  'Customer queries that failed, by kind: connection, timeout, overload, query, settings; listen for the change listener.',
  ['kind'],
);

export const redisErrors = metrics.counter(
  'customer_verification_redis_errors_total',
  'Replay checks that Redis did not answer.',
);

export const replaysRefused = metrics.counter(
  'customer_verification_replays_refused_total',
  'Good signatures that had been used before.',
);

export const databaseSeconds = metrics.histogram(
  'customer_verification_database_seconds',
  'Time from a cache miss to the answer of the database, waiting for a connection included.',
  [],
  [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
);

// The names end in _up, by which the server's /health finds them.

export const databaseUp = metrics.gauge(
  'customer_verification_database_up',
  'Whether the database answered when it was last asked: 1 or 0.',
);

export const redisUp = metrics.gauge(
  'customer_verification_redis_up',
  'Whether Redis answered when it was last asked: 1 or 0.',
);
