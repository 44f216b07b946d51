import type { Phase, PluginConfig } from '../plugin/definition.js';
import type { PdkMethod } from './methods.js';

/** Carries the PDK calls of one event to Kong. */
export interface Bridge {
  /** The configuration of the instance that handles the event. */
  readonly config: PluginConfig;
  /** The phases that the plugin has handlers for. */
  readonly phases: readonly Phase[];

  /**
   * Performs a call. Resolves to its result, normalised as the types declare it; at once when the method has none.
   *
   * @throws HandlerExit synchronously, from `response.exit` and `response.error`, and after them from any call
   * @throws PdkError the call failed or cannot be made
   */
  call(method: PdkMethod, args: readonly unknown[]): Promise<unknown>;
}
