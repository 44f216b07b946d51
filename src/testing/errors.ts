import { PluginServerError } from '../errors.js';

/**
 * What is wrong with a test's use of the kit, or with what it asked for.
 *
 * - `TEST_PLUGINS`: a plugin that does not load; the message names its file and fault.
 * - `TEST_CONFIG`: a configuration that Kong would refuse; the message has a line for each fault.
 * - `TEST_OPTIONS`: options that contradict each other or cannot be.
 * - `TEST_ENV`: two gateways of this process want different values of one environment variable at the same time.
 * - `NO_RESPONSE`: the gateway cut the connection instead of answering.
 * - `CLOSED`: a request to a gateway that is closed.
 */
export type TestKitErrorCode =
  | 'TEST_PLUGINS'
  | 'TEST_CONFIG'
  | 'TEST_OPTIONS'
  | 'TEST_ENV'
  | 'NO_RESPONSE'
  | 'CLOSED';

export class TestKitError extends PluginServerError {
  declare readonly code: TestKitErrorCode;

  constructor(code: TestKitErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
