import type { Kong, Phase, PluginConfig } from 'kong-ts-pluginserver';
import { functionSchema } from './js-functions/config.js';
import { FunctionsPlugin } from './js-functions/functions-plugin.js';
import { functionValidator } from './js-functions/validate.js';

const PHASES: readonly Phase[] = ['certificate', 'rewrite', 'access', 'log'];

export const name = 'js-pre-function';
export const version = '1.0.0';
export const priority = 1000000;
/** No function of this plugin would run for a consumer: none is known yet when it does. */
export const Schema = { ...functionSchema(PHASES), consumer: null };
export const validate = functionValidator(PHASES);

/** Runs functions from its configuration before the other plugins of each phase. */
export class Plugin extends FunctionsPlugin {
  constructor(config: PluginConfig) {
    super(name, PHASES, config);
  }

  certificate(kong: Kong): Promise<void> {
    return this.handle('certificate', kong);
  }

  rewrite(kong: Kong): Promise<void> {
    return this.handle('rewrite', kong);
  }

  access(kong: Kong): Promise<void> {
    return this.handle('access', kong);
  }

  log(kong: Kong): Promise<void> {
    return this.handle('log', kong);
  }
}
