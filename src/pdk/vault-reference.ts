import { PdkError } from './errors.js';
import type { VaultReference } from './types.js';

/** Whether a value is a reference to a secret in a vault, as Kong tells it. */
export function isReference(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('{vault://') && value.endsWith('}');
}

/**
 * Takes a vault reference apart, without looking anything up.
 *
 * @throws PdkError `PDK_FAILED` naming what is wrong with it, but not the reference
 */
export function parseReference(method: string, reference: unknown): VaultReference {
  const fail = (reason: string) => new PdkError('PDK_FAILED', method, reason);
  if (!isReference(reference)) throw fail('that is no reference to a vault');
  const parts = /^([^/?#]+)\/([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(
    reference.slice('{vault://'.length, -1),
  );
  const [, name = '', path = '', query = '', version] = parts ?? [];
  const segments = path.split('/').filter((segment) => segment !== '');
  if (name === '' || segments.length === 0) throw fail('the reference has no vault or no path');
  if (version !== undefined && !/^\d+$/.test(version))
    throw fail('the version of the reference is no number');
  if (/%(?![0-9a-f]{2})/i.test(path)) throw fail('the path of the reference is badly escaped');
  const whole = segments.length === 1 || path.endsWith('/');
  const config = [...new URLSearchParams(query)].map(([key, value]) => [key, value === '' ? true : value]);
  return {
    name,
    resource: decodeURIComponent((whole ? segments : segments.slice(0, -1)).join('/')),
    ...(whole ? {} : { key: decodeURIComponent(segments.at(-1) as string) }),
    ...(config.length === 0 ? {} : { config: Object.fromEntries(config) as Record<string, string | true> }),
    ...(version === undefined ? {} : { version: Number(version) }),
  };
}
