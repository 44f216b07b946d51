import type { Redis } from 'ioredis';

const KEY = 'customer-verification:replay-retention';
/** Gateways that share a Redis hear within this time that another one needs signatures kept for longer. */
export const REFRESH_MS = 5000;

/** For how long all who share a Redis keep signatures. Times are in milliseconds. */
export interface Retention {
  /** How long beyond the signed time. */
  readonly ms: number;
  /** Since when, Unix milliseconds; 0: always. */
  readonly since: number;
  /** How long before that. */
  readonly before: number;
}

/**
 * Tells the others who share this Redis that signatures are to be kept for `ms`, and learns for how long they are kept.
 * Two who do so at once may both write: what is left is undone or repeated with the next refresh, and `before` never
 * says more than was kept.
 */
export async function agreeOnRetention(redis: Redis, ms: number): Promise<Retention> {
  const [kept, since, before] = (await redis.hmget(KEY, 'ms', 'since', 'before')).map(Number) as [
    number,
    number,
    number,
  ];
  const now = Date.now();
  const agreed: Retention =
    kept === 0
      ? { ms, since: 0, before: ms }
      : kept >= ms
        ? { ms: kept, since, before }
        : // An earlier change may still matter to signatures that are good.
          { ms, since: now, before: now > since + before + kept ? kept : Math.min(before, kept) };
  if (kept > ms) return agreed;
  if (kept < ms) await redis.hset(KEY, { ...agreed });
  // Nobody else needs it for so long: when the last one that does is gone, so is the record.
  await redis.pexpire(KEY, 3 * ms + 10 * REFRESH_MS);
  return agreed;
}

/** Whether a signature could have been used and forgotten while signatures were kept for less long. */
export function mayBeForgotten({ since, before }: Retention, signedAt: number, now: number): boolean {
  return signedAt <= since + before + REFRESH_MS && now > signedAt + before;
}
