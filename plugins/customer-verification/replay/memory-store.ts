import { ReplayStoreError } from '../errors.js';
import type { ReplayStore } from './replay-store.js';

// Signatures are kept together by the time they carry, so that they can be dropped together.
const BUCKET_MS = 10_000;
const MOST_SIGNATURES = 2_000_000;

/**
 * Remembers signatures in this process. Full means full: it refuses to answer rather than forget a signature that
 * is still good. No customer may take more than half of what is free, so that one cannot leave the others nothing.
 */
export class MemoryReplayStore implements ReplayStore {
  readonly #now: () => number;
  readonly #mostSignatures: number;
  /** By time, each signature with its customer. */
  readonly #buckets = new Map<number, Map<string, string>>();
  /** How many signatures are remembered, by customer. */
  readonly #shares = new Map<string, number>();
  #size = 0;
  #retainMs = 0;
  #sweptAt = 0;
  /** Signatures that carry an earlier time may have been used and forgotten. */
  #forgottenBefore = -Infinity;

  constructor(now: () => number = Date.now, mostSignatures = MOST_SIGNATURES) {
    this.#now = now;
    this.#mostSignatures = mostSignatures;
  }

  claim(fingerprint: string, signedAt: number, customer: string): boolean {
    this.#sweep();
    if (signedAt < this.#forgottenBefore) return false;
    const index = Math.floor(signedAt / BUCKET_MS);
    const bucket = this.#buckets.get(index) ?? new Map<string, string>();
    if (bucket.has(fingerprint)) return false;
    const share = this.#shares.get(customer) ?? 0;
    if (share >= (this.#mostSignatures - this.#size) / 2) {
      throw new ReplayStoreError(
        `${this.#size} signatures that are still good are remembered already, ${share} of them this customer's`,
      );
    }
    this.#buckets.set(index, bucket.set(fingerprint, customer));
    this.#shares.set(customer, share + 1);
    this.#size += 1;
    return true;
  }

  retain(clockSkewMs: number): void {
    // What is due under the smaller skew goes first: whoever needs it under the larger one is refused.
    this.#sweep(true);
    this.#retainMs = Math.max(this.#retainMs, clockSkewMs);
  }

  close(): void {
    this.#buckets.clear();
    this.#shares.clear();
    this.#size = 0;
  }

  /** How many signatures are remembered. */
  get size(): number {
    return this.#size;
  }

  #sweep(anyway = false): void {
    const now = this.#now();
    if (!anyway && Math.abs(now - this.#sweptAt) < 1000) return;
    this.#sweptAt = now;
    const oldest = Math.floor((now - this.#retainMs) / BUCKET_MS);
    for (const [index, bucket] of this.#buckets) {
      if (index >= oldest) continue;
      for (const customer of bucket.values()) this.#giveBack(customer);
      this.#size -= bucket.size;
      this.#buckets.delete(index);
      this.#forgottenBefore = Math.max(this.#forgottenBefore, (index + 1) * BUCKET_MS);
    }
  }

  #giveBack(customer: string): void {
    const left = (this.#shares.get(customer) ?? 0) - 1;
    if (left > 0) this.#shares.set(customer, left);
    else this.#shares.delete(customer);
  }
}
