import { MalformedCustomerError } from '../errors.js';
import { parseTime } from '../signed-time.js';

/** One key that a customer may sign with; the times are Unix milliseconds. */
export interface SigningKey {
  readonly key: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A customer as the plugin needs it. */
export interface Customer {
  readonly uuid: string;
  readonly keys: readonly SigningKey[];
  readonly revoked: boolean;
}

// Control characters have no place in a header value.
const HEADER_SAFE = /^[\x21-\x7e]{1,255}$/;

/**
 * A customer from one row: `uuid` and `authentication`, the latter as jsonb or as text that holds JSON:
 * `{client_key?, client_keys?: [{key, not_before?, not_after?}], revoked?}`.
 *
 * @throws {MalformedCustomerError} saying what is wrong, without any content of the row.
 */
export function parseCustomer(uuid: unknown, authentication: unknown): Customer {
  const id = typeof uuid === 'number' ? String(uuid) : uuid;
  if (typeof id !== 'string' || !HEADER_SAFE.test(id))
    throw new MalformedCustomerError('uuid is not usable as a header');
  const fields = asObject(authentication);
  const keys: SigningKey[] = [];
  if (present(fields.client_key)) {
    keys.push({ key: asKey(fields.client_key, 'client_key'), notBefore: -Infinity, notAfter: Infinity });
  }
  if (present(fields.client_keys)) {
    if (!Array.isArray(fields.client_keys)) throw new MalformedCustomerError('client_keys is not a list');
    for (const [index, item] of fields.client_keys.entries())
      keys.push(asSigningKey(item, `client_keys[${index}]`));
  }
  const revoked = fields.revoked ?? false;
  if (typeof revoked !== 'boolean') throw new MalformedCustomerError('revoked is neither true nor false');
  if (keys.length === 0 && !revoked)
    throw new MalformedCustomerError('there is neither client_key nor client_keys');
  return { uuid: id, keys, revoked };
}

function asObject(value: unknown): Record<string, unknown> {
  let object = value;
  if (typeof value === 'string') {
    try {
      object = JSON.parse(value);
    } catch {
      throw new MalformedCustomerError('authentication is not JSON');
    }
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new MalformedCustomerError('authentication is not a JSON object');
  }
  return object as Record<string, unknown>;
}

function asSigningKey(value: unknown, where: string): SigningKey {
  if (typeof value !== 'object' || value === null)
    throw new MalformedCustomerError(`${where} is not an object`);
  const item = value as Record<string, unknown>;
  return {
    key: asKey(item.key, `${where}.key`),
    notBefore: asTime(item.not_before, `${where}.not_before`) ?? -Infinity,
    notAfter: asTime(item.not_after, `${where}.not_after`) ?? Infinity,
  };
}

function asKey(value: unknown, where: string): string {
  const key = typeof value === 'number' ? String(value) : value;
  if (typeof key !== 'string' || key === '')
    throw new MalformedCustomerError(`${where} is not a non-empty string`);
  return key;
}

function asTime(value: unknown, where: string): number | undefined {
  if (!present(value)) return undefined;
  const time = typeof value === 'string' || typeof value === 'number' ? parseTime(String(value)) : undefined;
  if (time === undefined) throw new MalformedCustomerError(`${where} is not a time`);
  return time;
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}
