import { PDK_METHODS, type PdkMethod } from '../../../src/pdk/methods.js';

/**
 * The PDK methods that functions get: all but `kong.vault`, which reads the gateway's environment and secrets, and
 * `setTargetRetryCallback`, whose argument is code.
 */
export const PDK_SURFACE: readonly PdkMethod[] = PDK_METHODS.filter(
  ({ path }) => path[0] !== 'vault' && path.at(-1) !== 'setTargetRetryCallback',
);
