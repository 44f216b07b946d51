import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CacheConfig } from '../config.js';
import { DatabaseUnavailableError } from '../errors.js';
import { cacheLookups } from '../metrics.js';
import type { Customer } from './customer.js';

/** Asks the source: the customer, undefined when there is none, DatabaseUnavailableError when it cannot say. */
export type FindCustomer = (certificateId: string) => Promise<Customer | undefined>;

/** A customer, or undefined for none; `stale` when the source did not answer and an older answer stands in. */
export interface Loaded {
  readonly customer: Customer | undefined;
  readonly stale?: boolean;
}

// Longer ids are remembered as unknown by their digest, so that made-up ids cost little memory each.
const LONGEST_PLAIN_ID = 64;

/**
 * Remembers customers, and apart from them the ids that are nobody's, each for a time and up to a number. Asks the
 * source once for any number of concurrent requests, and falls back on an expired answer while the source is away.
 */
export class CustomerCache {
  readonly #find: FindCustomer;
  readonly #config: CacheConfig;
  readonly #now: () => number;
  readonly #known: LRUCache<string, { customer: Customer; freshUntil: number }>;
  /** When the id may be asked for again. */
  readonly #unknown: LRUCache<string, number>;
  readonly #loading = new Map<string, Promise<Loaded>>();

  constructor(find: FindCustomer, config: CacheConfig, now: () => number = () => performance.now()) {
    this.#find = find;
    this.#config = config;
    this.#now = now;
    this.#known = new LRUCache({ max: config.size });
    this.#unknown = new LRUCache({ max: config.negativeSize });
  }

  /** What is remembered: a customer, null for nobody's id, undefined when the source has to be asked. */
  peek(certificateId: string): Customer | null | undefined {
    const entry = this.#known.get(certificateId);
    if (entry) {
      if (this.#now() >= entry.freshUntil) return undefined;
      cacheLookups.inc({ outcome: 'hit' });
      return entry.customer;
    }
    const until = this.#unknown.get(unknownKey(certificateId));
    if (until === undefined || this.#now() >= until) return undefined;
    cacheLookups.inc({ outcome: 'negative_hit' });
    return null;
  }

  /** Asks the source, or joins a request that is doing so. Rejects as the source does. */
  load(certificateId: string): Promise<Loaded> {
    cacheLookups.inc({ outcome: 'miss' });
    const underway = this.#loading.get(certificateId);
    if (underway) return underway;
    const loading: Promise<Loaded> = this.#load(
      certificateId,
      () => this.#loading.get(certificateId) === loading,
    ).finally(() => {
      if (this.#loading.get(certificateId) === loading) this.#loading.delete(certificateId);
    });
    this.#loading.set(certificateId, loading);
    return loading;
  }

  /** Forgets one id, or everything. Answers that are still on their way may be outdated and are not remembered. */
  forget(certificateId?: string): void {
    if (certificateId === undefined) {
      this.#known.clear();
      this.#unknown.clear();
      this.#loading.clear();
    } else {
      this.#known.delete(certificateId);
      this.#unknown.delete(unknownKey(certificateId));
      this.#loading.delete(certificateId);
    }
  }

  /** How many customers and unknown ids are remembered, and how many queries are under way. */
  get sizes(): { known: number; unknown: number; loading: number } {
    return { known: this.#known.size, unknown: this.#unknown.size, loading: this.#loading.size };
  }

  async #load(certificateId: string, mayRemember: () => boolean): Promise<Loaded> {
    try {
      const customer = await this.#find(certificateId);
      if (mayRemember()) this.#remember(certificateId, customer);
      return { customer };
    } catch (error) {
      const customer = error instanceof DatabaseUnavailableError ? this.#stale(certificateId) : undefined;
      if (!customer) throw error;
      cacheLookups.inc({ outcome: 'stale' });
      return { customer, stale: true };
    }
  }

  #remember(certificateId: string, customer: Customer | undefined): void {
    const { ttlMs, staleTtlMs, negativeTtlMs } = this.#config;
    if (!customer) {
      this.#known.delete(certificateId);
      if (negativeTtlMs > 0) this.#unknown.set(unknownKey(certificateId), this.#now() + negativeTtlMs);
      return;
    }
    this.#unknown.delete(unknownKey(certificateId));
    if (ttlMs + staleTtlMs > 0) this.#known.set(certificateId, { customer, freshUntil: this.#now() + ttlMs });
  }

  #stale(certificateId: string): Customer | undefined {
    const entry = this.#known.get(certificateId);
    return entry && this.#now() < entry.freshUntil + this.#config.staleTtlMs ? entry.customer : undefined;
  }
}

function unknownKey(certificateId: string): string {
  return certificateId.length <= LONGEST_PLAIN_ID
    ? certificateId
    : `sha256 of long id ${hash('sha256', certificateId)}`;
}
