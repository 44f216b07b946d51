import { randomBytes } from 'node:crypto';
import { parseCustomer, type SigningKey } from '../keys/customer.js';
import { CustomerTableError } from './errors.js';

/** The column `authentication`, as far as this command writes it; what else it holds is kept. */
export type Authentication = Record<string, unknown>;

/** A new key: 256 random bits in 43 characters that need no quoting anywhere. */
export function generateKey(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Adds a key; the ones that were valid until now stay valid for the overlap, the ones that have ended go.
 *
 * @param now Unix milliseconds
 * @param overlapMs how long the old keys go on verifying; 0: not at all
 * @throws CustomerTableError `CUSTOMER_REVOKED`, `CUSTOMER_MALFORMED`
 */
export function withNewKey(
  authentication: Authentication,
  key: string,
  now: number,
  overlapMs: number,
): Authentication {
  const { keys, revoked } = keysOf(authentication);
  if (revoked) throw new CustomerTableError('CUSTOMER_REVOKED', 'the customer is revoked');
  const end = now + overlapMs;
  const old =
    overlapMs > 0 ? keys.filter(({ notAfter }) => notAfter > now).map((one) => written(one, end)) : [];
  const { client_key: _, ...rest } = authentication;
  return { ...rest, client_keys: [...old, { key }] };
}

/** What is known of a customer's keys, without the keys. */
export function describeKeys(authentication: unknown): {
  status: 'active' | 'revoked' | 'malformed';
  keys: { not_before?: string; not_after?: string }[];
} {
  try {
    const { keys, revoked } = keysOf(authentication);
    return { status: revoked ? 'revoked' : 'active', keys: keys.map((key) => validity(key)) };
  } catch (error) {
    if (!(error instanceof CustomerTableError)) throw error;
    return { status: 'malformed', keys: [] };
  }
}

function keysOf(authentication: unknown): { keys: readonly SigningKey[]; revoked: boolean } {
  try {
    return parseCustomer('any', authentication);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CustomerTableError('CUSTOMER_MALFORMED', `the customer's row: ${reason}`, { cause });
  }
}

function written(key: SigningKey, end: number): Record<string, string> {
  return { key: key.key, ...validity({ ...key, notAfter: Math.min(key.notAfter, end) }) };
}

function validity({ notBefore, notAfter }: SigningKey): { not_before?: string; not_after?: string } {
  return {
    ...(Number.isFinite(notBefore) && { not_before: isoTime(notBefore) }),
    ...(Number.isFinite(notAfter) && { not_after: isoTime(notAfter) }),
  };
}

function isoTime(time: number): string {
  return new Date(time).toISOString();
}
