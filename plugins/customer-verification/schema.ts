import { DEFAULT_HEADER_NAMES } from './client/header-names.js';
import { ALGORITHMS, BINDABLE } from './client/signed-text.js';
import { BOUNDS, CONSUMER_MAPPINGS, REPLAY_ON_ERROR, REPLAY_STORES } from './config.js';

type Field = Record<string, unknown>;

const HEADER_NAME = { type: 'string', match: '^[%w_-]+$', len_max: 64 };

const oneOf = (choices: readonly string[], byDefault: string): Field => ({
  type: 'string',
  one_of: [...choices],
  default: byDefault,
});
const bounded = (type: 'number' | 'integer', name: keyof typeof BOUNDS, byDefault: number): Field => ({
  type,
  between: [...BOUNDS[name]],
  default: byDefault,
});

// docs/customer-verification.md explains each field. `message` has no effect.
const fields: Record<string, Field>[] = [
  { message: { type: 'string' } },
  { certificate_header: { ...HEADER_NAME, default: DEFAULT_HEADER_NAMES.certificateId } },
  { signature_header: { ...HEADER_NAME, default: DEFAULT_HEADER_NAMES.signature } },
  { time_header: { ...HEADER_NAME, default: DEFAULT_HEADER_NAMES.time } },
  { algorithm: oneOf(ALGORITHMS, 'sha256') },
  { bind: { type: 'set', elements: { type: 'string', one_of: [...BINDABLE] }, default: [] } },
  { max_body_mb: bounded('number', 'max_body_mb', 64) },
  { clock_skew: bounded('number', 'clock_skew', 0) },
  { hide_credentials: { type: 'boolean', default: false } },
  { replay_protection: { type: 'boolean', default: false } },
  { replay_store: oneOf(REPLAY_STORES, 'memory') },
  { replay_on_error: oneOf(REPLAY_ON_ERROR, 'refuse') },
  { consumer: oneOf(CONSUMER_MAPPINGS, 'none') },
  { cache_ttl: bounded('number', 'cache_ttl', 60) },
  { cache_size: bounded('integer', 'cache_size', 100_000) },
  { negative_cache_ttl: bounded('number', 'negative_cache_ttl', 5) },
  { negative_cache_size: bounded('integer', 'negative_cache_size', 10_000) },
  { stale_ttl: bounded('number', 'stale_ttl', 300) },
  { error_status: bounded('integer', 'error_status', 403) },
];

/** Each worker remembers the signatures that it has seen, and no others: Kong itself is to refuse such a configuration. */
const REDIS_ONLY = {
  conditional: {
    if_field: 'replay_protection',
    if_match: { eq: true },
    then_field: 'replay_store',
    then_match: { eq: 'redis' },
  },
};

/** How many processes the server runs: its `--workers`, which `--dump` takes, too. */
function workers(): number {
  return Number(process.env.KONG_TS_WORKERS ?? 1);
}

/** The plugin's `config` record in the words of Kong's schemas, so that Kong itself refuses what cannot work. */
export const Schema = {
  // Before this plugin has run, Kong does not know a consumer.
  consumer: null,
  fields,
  entity_checks: [
    {
      conditional: {
        if_field: 'replay_protection',
        if_match: { eq: true },
        then_field: 'clock_skew',
        then_match: { gt: 0 },
      },
    },
    ...(workers() > 1 ? [REDIS_ONLY] : []),
  ],
};
