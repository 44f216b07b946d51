import type { Kong, Phase, PluginConfig } from 'kong-ts-pluginserver';
import { functionSchema } from './js-functions/config.js';
import { FunctionsPlugin } from './js-functions/functions-plugin.js';
import { functionValidator } from './js-functions/validate.js';

const PHASES: readonly Phase[] = ['certificate', 'rewrite', 'access', 'log'];

export const name = 'js-post-function';
export const version = '1.0.0';
export const priority = -1000;
export const Schema = functionSchema(PHASES);
export const validate = functionValidator(PHASES);

/** Runs functions from its configuration after the other plugins of each phase. */
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
