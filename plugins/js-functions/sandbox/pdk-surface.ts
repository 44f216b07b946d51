import { type PdkFunction, pdkFunctions } from 'kong-ts-pluginserver';

/**
 * The PDK methods that functions get: all but `kong.vault`, which reads the gateway's environment and secrets, and
 * `setTargetRetryCallback`, whose argument is code.
 */
export const PDK_SURFACE: readonly PdkFunction[] = pdkFunctions.filter(
  ({ path }) => path[0] !== 'vault' && path.at(-1) !== 'setTargetRetryCallback',
);
