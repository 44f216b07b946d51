import type { Redis } from 'ioredis';
import { ioredis } from '../drivers.js';
import { ReplayStoreError } from '../errors.js';
import { redisErrors, redisUp } from '../metrics.js';
import { report } from '../report.js';
import { agreeOnRetention, mayBeForgotten, REFRESH_MS, type Retention } from './redis-retention.js';
import type { ReplayStore } from './replay-store.js';

const TIMEOUT_MS = 1000;
const LONGEST_RETRY_MS = 500;
// A clock that lags behind the others' would otherwise let Redis forget a signature that it still accepts.
const MARGIN_MS = 1000;
const MOST_WAITING = 2000;
const KEY_PREFIX = 'customer-verification:replay:';

/**
 * Remembers signatures in Redis, for several gateways: one `SET … PX … NX` per request. Answers within a second or
 * fails, and fails at once while there is no connection.
 */
export class RedisReplayStore implements ReplayStore {
  readonly #redis: Redis;
  readonly #firstAttempt: Promise<void>;
  #attempted = false;
  #waiting = 0;
  #retainMs = 0;
  /** What was agreed on last, for which own retention, and when. */
  #agreed: { retention: Retention; for: number; at: number } | undefined;
  #agreeing: Promise<Retention> | undefined;

  /** Connects in the background; never throws for a Redis that is away. */
  constructor(url: string) {
    this.#redis = new (ioredis().Redis)(url, {
      connectTimeout: TIMEOUT_MS,
      commandTimeout: TIMEOUT_MS,
      enableOfflineQueue: false,
      // The check is a command of its own that a server which accepts and never answers would leave hanging.
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RETRY_MS),
    });
    // Remembering is no reason for a process to stay alive.
    this.#redis.on('connect', () => this.#redis.stream.unref());
    this.#firstAttempt = new Promise((resolve) => {
      const settle = () => {
        this.#attempted = true;
        resolve();
      };
      this.#redis.once('ready', settle);
      this.#redis.once('error', settle);
      this.#redis.once('close', settle);
    });
    this.#redis.on('error', (error: Error) => {
      report.inBackground('warn', 'redis_connection', `no connection to Redis: ${messageOf(error)}`);
    });
  }

  async claim(fingerprint: string, signedAt: number): Promise<boolean> {
    try {
      // The first request comes right behind the start of its instance.
      if (!this.#attempted) await this.#firstAttempt;
      if (this.#waiting >= MOST_WAITING)
        throw new Error(`${this.#waiting} requests are waiting for Redis already`);
      this.#waiting += 1;
      try {
        const retention = await this.#retention();
        const now = Date.now();
        if (mayBeForgotten(retention, signedAt, now)) return false;
        const keepMs = Math.ceil(signedAt + Math.max(retention.ms, this.#retainMs) - now) + MARGIN_MS;
        const key = KEY_PREFIX + fingerprint;
        const answer = await this.#redis.set(key, '1', 'PX', Math.max(keepMs, MARGIN_MS), 'NX');
        redisUp.set(1);
        return answer === 'OK';
      } finally {
        this.#waiting -= 1;
      }
    } catch (error) {
      redisErrors.inc();
      redisUp.set(0);
      // A connection on which an answer is overdue may be dead: a new one takes its place.
      if (error instanceof Error && /timed out/i.test(error.message)) this.#redis.disconnect(true);
      throw new ReplayStoreError(`Redis did not answer: ${messageOf(error)}`, { cause: error });
    }
  }

  retain(clockSkewMs: number): void {
    this.#retainMs = Math.max(this.#retainMs, clockSkewMs);
  }

  /** What is agreed on. In use it is asked for anew behind the requests, so that none of them waits for it. */
  async #retention(): Promise<Retention> {
    const { for: agreedFor = -1, at = 0, retention } = this.#agreed ?? {};
    const age = performance.now() - at;
    if (!retention || agreedFor < this.#retainMs || age > REFRESH_MS) return this.#agree();
    if (age > REFRESH_MS / 2) {
      this.#agree().catch((error: Error) => {
        report.inBackground('warn', 'redis_retention', `Redis did not answer: ${messageOf(error)}`);
      });
    }
    return retention;
  }

  #agree(): Promise<Retention> {
    const wanted = this.#retainMs;
    this.#agreeing ??= agreeOnRetention(this.#redis, wanted)
      .then((retention) => {
        this.#agreed = { retention, for: wanted, at: performance.now() };
        return retention;
      })
      .finally(() => {
        this.#agreeing = undefined;
      });
    return this.#agreeing;
  }

  close(): void {
    this.#redis.disconnect();
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
