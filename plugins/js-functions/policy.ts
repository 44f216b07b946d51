import { FunctionConfigError } from './errors.js';

/** The operator's switch for code from the configuration. */
export const POLICY_VARIABLE = 'KONG_TS_UNTRUSTED_JS';

/**
 * Makes sure that the operator allows functions: `KONG_TS_UNTRUSTED_JS` is `sandbox` (the default) or `off`.
 *
 * @throws FunctionConfigError when they are off, and for any other value
 */
export function requireFunctionsAllowed(env: NodeJS.ProcessEnv): void {
  const value = env[POLICY_VARIABLE];
  if (value === undefined || value === '' || value === 'sandbox') return;
  if (value === 'off') {
    throw new FunctionConfigError(
      `functions from the configuration are switched off on this server (${POLICY_VARIABLE}=off)`,
    );
  }
  throw new FunctionConfigError(`${POLICY_VARIABLE} must be sandbox or off, not ${JSON.stringify(value)}`);
}
