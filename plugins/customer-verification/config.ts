import { DEFAULT_HEADER_NAMES, type HeaderNames } from './client/header-names.js';
import { ALGORITHMS, type Algorithm, BINDABLE, type Bindable } from './client/signed-text.js';
import { ConfigurationError } from './errors.js';
import { CONSUMER_HEADERS, CUSTOMER_HEADER } from './identity-headers.js';

export const REPLAY_STORES = ['memory', 'redis'] as const;
export const REPLAY_ON_ERROR = ['refuse', 'allow'] as const;
export const CONSUMER_MAPPINGS = ['none', 'custom_id'] as const;

/** Bounds of the numeric fields, inclusive; the Kong schema and the constructor both hold to them. */
export const BOUNDS = {
  cache_ttl: [0, 86_400],
  cache_size: [1, 10_000_000],
  negative_cache_ttl: [0, 86_400],
  negative_cache_size: [1, 10_000_000],
  stale_ttl: [0, 604_800],
  clock_skew: [0, 86_400],
  error_status: [400, 599],
  max_body_mb: [0, 10_240],
} as const;

/** A checked configuration, every default filled in. Times are in milliseconds. */
export interface VerificationConfig {
  readonly headers: HeaderNames;
  readonly algorithm: Algorithm;
  readonly bind: readonly Bindable[];
  /** The largest body that is hashed, in bytes. */
  readonly maxBodyBytes: number;
  /** 0: the time is signed, but not judged. */
  readonly clockSkewMs: number;
  readonly hideCredentials: boolean;
  readonly cache: CacheConfig;
  readonly errorStatus: number;
  readonly replayProtection: boolean;
  readonly replayStore: (typeof REPLAY_STORES)[number];
  readonly replayOnError: (typeof REPLAY_ON_ERROR)[number];
  readonly consumer: (typeof CONSUMER_MAPPINGS)[number];
  /** The headers by which the upstream knows who the customer is, in lower case. */
  readonly identityHeaders: readonly string[];
}

/** How long and how many customers are remembered. Times are in milliseconds. */
export interface CacheConfig {
  readonly ttlMs: number;
  readonly size: number;
  readonly negativeTtlMs: number;
  readonly negativeSize: number;
  readonly staleTtlMs: number;
}

// What a header of this name means is the protocol's or the gateway's business, not a client's credential.
const RESERVED_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'te',
]);
const MEGABYTE = 1_048_576;
const HEADER_NAME = /^[a-z0-9_-]{1,64}$/;

/**
 * Checks what Kong passes to the plugin and fills in defaults, also for a server that is run without Kong's schema.
 *
 * @throws {ConfigurationError} naming the field.
 */
export function parseConfig(raw: Record<string, unknown>): VerificationConfig {
  const fields = new Fields(raw);
  fields.string('message', '');
  const clockSkew = fields.number('clock_skew', 0);
  const replayProtection = fields.boolean('replay_protection', false);
  if (replayProtection && clockSkew === 0) {
    throw new ConfigurationError(
      'replay_protection needs clock_skew greater than 0: without it a signature would have to be remembered for ever',
      'replay_protection',
    );
  }
  const consumer = fields.oneOf('consumer', CONSUMER_MAPPINGS, 'none');
  const identityHeaders = consumer === 'none' ? [CUSTOMER_HEADER] : [CUSTOMER_HEADER, ...CONSUMER_HEADERS];
  return {
    headers: headerNames(fields, identityHeaders),
    algorithm: fields.oneOf('algorithm', ALGORITHMS, 'sha256'),
    bind: fields.setOf('bind', BINDABLE),
    maxBodyBytes: Math.floor(fields.number('max_body_mb', 64) * MEGABYTE),
    clockSkewMs: clockSkew * 1000,
    hideCredentials: fields.boolean('hide_credentials', false),
    cache: {
      ttlMs: fields.number('cache_ttl', 60) * 1000,
      size: fields.integer('cache_size', 100_000),
      negativeTtlMs: fields.number('negative_cache_ttl', 5) * 1000,
      negativeSize: fields.integer('negative_cache_size', 10_000),
      staleTtlMs: fields.number('stale_ttl', 300) * 1000,
    },
    errorStatus: fields.integer('error_status', 403),
    replayProtection,
    replayStore: fields.oneOf('replay_store', REPLAY_STORES, 'memory'),
    replayOnError: fields.oneOf('replay_on_error', REPLAY_ON_ERROR, 'refuse'),
    consumer,
    identityHeaders,
  };
}

function headerNames(fields: Fields, reserved: readonly string[]): HeaderNames {
  const names = {
    certificateId: fields.headerName('certificate_header', DEFAULT_HEADER_NAMES.certificateId, reserved),
    signature: fields.headerName('signature_header', DEFAULT_HEADER_NAMES.signature, reserved),
    time: fields.headerName('time_header', DEFAULT_HEADER_NAMES.time, reserved),
  };
  if (new Set(Object.values(names)).size < 3) {
    throw new ConfigurationError(
      'certificate_header, signature_header and time_header must be three different headers',
    );
  }
  return names;
}

/** Reads single fields; an absent or null field is its default. */
class Fields {
  readonly #raw: Record<string, unknown>;

  constructor(raw: Record<string, unknown>) {
    this.#raw = raw;
  }

  string(name: string, byDefault: string): string {
    const value = this.#raw[name] ?? byDefault;
    if (typeof value !== 'string') throw new ConfigurationError(`${name} must be a string`, name);
    return value;
  }

  boolean(name: string, byDefault: boolean): boolean {
    const value = this.#raw[name] ?? byDefault;
    if (typeof value !== 'boolean') throw new ConfigurationError(`${name} must be true or false`, name);
    return value;
  }

  number(name: keyof typeof BOUNDS, byDefault: number): number {
    const value = this.#raw[name] ?? byDefault;
    const [low, high] = BOUNDS[name];
    // The comparison is written so that NaN is refused.
    if (typeof value !== 'number' || !(value >= low && value <= high)) {
      throw new ConfigurationError(`${name} must be a number between ${low} and ${high}`, name);
    }
    return value;
  }

  integer(name: keyof typeof BOUNDS, byDefault: number): number {
    const value = this.number(name, byDefault);
    if (!Number.isInteger(value)) throw new ConfigurationError(`${name} must be a whole number`, name);
    return value;
  }

  oneOf<const T extends readonly string[]>(name: string, choices: T, byDefault: T[number]): T[number] {
    const value = this.string(name, byDefault);
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined)
      throw new ConfigurationError(`${name} must be one of ${choices.join(', ')}`, name);
    return choice;
  }

  /** The chosen ones in the order of `choices`. */
  setOf<const T extends readonly string[]>(name: string, choices: T): T[number][] {
    const value = this.#raw[name] ?? [];
    // An empty list may come as an empty object: Lua does not tell the two apart.
    const items = Array.isArray(value) ? value : isEmptyObject(value) ? [] : undefined;
    if (!items?.every((item) => choices.includes(item))) {
      throw new ConfigurationError(`${name} must be a list of ${choices.join(', ')}`, name);
    }
    return choices.filter((choice) => items.includes(choice));
  }

  headerName(name: string, byDefault: string, reserved: readonly string[]): string {
    const value = this.string(name, byDefault).toLowerCase();
    if (!HEADER_NAME.test(value)) {
      throw new ConfigurationError(`${name} must be a header name of letters, digits, "-" and "_"`, name);
    }
    if (RESERVED_HEADERS.has(value) || reserved.includes(value.replaceAll('_', '-'))) {
      throw new ConfigurationError(`${name} must not be ${value}`, name);
    }
    return value;
  }
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
