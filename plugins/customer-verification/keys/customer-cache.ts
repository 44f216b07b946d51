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

// While changes may go unnoticed, an answer is good for so long: well within the second after which a revoked customer is
// to be refused.
const DOUBTED_TTL_MS = 250;

// Longer ids are remembered as unknown by their digest, so that made-up ids cost little memory each.
const LONGEST_PLAIN_ID = 64;

interface Entry {
  readonly customer: Customer;
  /** When the source was asked. */
  readonly askedAt: number;
  readonly freshUntil: number;
}

/**
 * Remembers customers, and apart from them the ids that are nobody's, each for a time and up to a number. Asks the
 * source once for any number of concurrent requests, and falls back on an expired answer while the source is away.
 */
export class CustomerCache {
  readonly #find: FindCustomer;
  readonly #config: CacheConfig;
  readonly #now: () => number;
  readonly #known: LRUCache<string, Entry>;
  /** When the id may be asked for again. */
  readonly #unknown: LRUCache<string, number>;
  readonly #loading = new Map<string, Promise<Loaded>>();
  /** Since when changes may go unnoticed. */
  #doubtedSince: number | undefined;

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
      const now = this.#now();
      if (now >= entry.freshUntil || this.#doubts(entry, now)) return undefined;
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

  /**
   * Whether every change is being heard of. While it is not, answers are good for a moment only; what was remembered
   * before stands in, as long as it would have been good, when the source does not answer.
   */
  trust(certain: boolean): void {
    this.#doubtedSince = certain ? undefined : this.#now();
  }

  /** How many customers and unknown ids are remembered, and how many queries are under way. */
  get sizes(): { known: number; unknown: number; loading: number } {
    return { known: this.#known.size, unknown: this.#unknown.size, loading: this.#loading.size };
  }

  async #load(certificateId: string, mayRemember: () => boolean): Promise<Loaded> {
    const askedAt = this.#now();
    try {
      const customer = await this.#find(certificateId);
      if (mayRemember()) this.#remember(certificateId, customer, askedAt);
      return { customer };
    } catch (error) {
      const standIn = error instanceof DatabaseUnavailableError ? this.#standIn(certificateId) : undefined;
      if (!standIn) throw error;
      cacheLookups.inc({ outcome: 'stale' });
      return standIn;
    }
  }

  #doubts(entry: Entry, now: number): boolean {
    const since = this.#doubtedSince;
    return since !== undefined && (entry.askedAt < since || now >= entry.askedAt + DOUBTED_TTL_MS);
  }

  #remember(certificateId: string, customer: Customer | undefined, askedAt: number): void {
    const { ttlMs, staleTtlMs, negativeTtlMs } = this.#config;
    if (!customer) {
      this.#known.delete(certificateId);
      if (negativeTtlMs > 0) this.#unknown.set(unknownKey(certificateId), this.#now() + negativeTtlMs);
      return;
    }
    this.#unknown.delete(unknownKey(certificateId));
    if (ttlMs + staleTtlMs > 0)
      this.#known.set(certificateId, { customer, askedAt, freshUntil: this.#now() + ttlMs });
  }

  #standIn(certificateId: string): Loaded | undefined {
    const entry = this.#known.get(certificateId);
    const now = this.#now();
    if (!entry || now >= entry.freshUntil + this.#config.staleTtlMs) return undefined;
    return now < entry.freshUntil ? { customer: entry.customer } : { customer: entry.customer, stale: true };
  }
}

function unknownKey(certificateId: string): string {
  return certificateId.length <= LONGEST_PLAIN_ID
    ? certificateId
    : `sha256 of long id ${hash('sha256', certificateId)}`;
}
