import { ReplayStoreError } from '../errors.js';
import type { ReplayStore } from './replay-store.js';

// Signatures are kept together by the time they carry, so that they can be dropped together.
const BUCKET_MS = 10_000;
const MOST_SIGNATURES = 2_000_000;

/**
 * Remembers signatures in this process. Full means full: it refuses to answer rather than forget a signature that
 * is still good.
 */
export class MemoryReplayStore implements ReplayStore {
  readonly #now: () => number;
  readonly #mostSignatures: number;
  readonly #buckets = new Map<number, Set<string>>();
  #size = 0;
  #retainMs = 0;
  #sweptAt = 0;

  constructor(now: () => number = Date.now, mostSignatures = MOST_SIGNATURES) {
    this.#now = now;
    this.#mostSignatures = mostSignatures;
  }

  claim(fingerprint: string, signedAt: number): boolean {
    this.#sweep();
    const index = Math.floor(signedAt / BUCKET_MS);
    const bucket = this.#buckets.get(index) ?? new Set();
    if (bucket.has(fingerprint)) return false;
    if (this.#size >= this.#mostSignatures) {
      throw new ReplayStoreError(
        `${this.#size} signatures are remembered already, and all of them are still good`,
      );
    }
    this.#buckets.set(index, bucket.add(fingerprint));
    this.#size += 1;
    return true;
  }

  retain(clockSkewMs: number): void {
    this.#retainMs = Math.max(this.#retainMs, clockSkewMs);
  }

  close(): void {
    this.#buckets.clear();
    this.#size = 0;
  }

  /** How many signatures are remembered. */
  get size(): number {
    return this.#size;
  }

  #sweep(): void {
    const now = this.#now();
    if (Math.abs(now - this.#sweptAt) < 1000) return;
    this.#sweptAt = now;
    const oldest = Math.floor((now - this.#retainMs) / BUCKET_MS);
    for (const [index, bucket] of this.#buckets) {
      if (index >= oldest) continue;
      this.#size -= bucket.size;
      this.#buckets.delete(index);
    }
  }
}
