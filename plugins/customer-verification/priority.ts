import { readEnvironment } from './environment.js';
import { ConfigurationError } from './errors.js';

/** Behind Kong's own plugins, as the plugin has always been. */
export const DEFAULT_PRIORITY = 9;

/**
 * The priority that is announced to Kong: `CUSTOMER_VERIFICATION_PRIORITY` or 9. Kong's plugins that look at the
 * consumer (rate-limiting 910, acl 950) run before a plugin of priority 9 and would not see the one it sets.
 *
 * @throws {ConfigurationError} when the variable is no whole number.
 */
export function configuredPriority(environment = readEnvironment().environment): number {
  const text = environment.CUSTOMER_VERIFICATION_PRIORITY;
  if (!text) return DEFAULT_PRIORITY;
  if (!/^-?\d{1,7}$/.test(text)) {
    throw new ConfigurationError('CUSTOMER_VERIFICATION_PRIORITY must be a whole number');
  }
  return Number(text);
}
