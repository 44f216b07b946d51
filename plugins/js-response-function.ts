import type { Kong, Phase, PluginConfig } from 'kong-ts-pluginserver';
import { functionSchema } from './js-functions/config.js';
import { FunctionsPlugin } from './js-functions/functions-plugin.js';
import { functionValidator } from './js-functions/validate.js';

const PHASES: readonly Phase[] = ['response'];

export const name = 'js-response-function';
export const version = '1.0.0';
export const priority = -1000;
export const Schema = functionSchema(PHASES);
export const validate = functionValidator(PHASES);

/**
 * Runs functions from its configuration on the response.
 *
 * A plugin of its own because Kong buffers the whole response of every request that a plugin with a response phase
 * applies to: nothing streams there any more.
 */
export class Plugin extends FunctionsPlugin {
  constructor(config: PluginConfig) {
    super(name, PHASES, config);
  }

  response(kong: Kong): Promise<void> {
    return this.handle('response', kong);
  }
}
