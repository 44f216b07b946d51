import type { ConfigProblem, ConfigValidator, Kong, Phase, PluginConfig } from 'kong-ts-pluginserver';
import { compileCheck } from './compile/compile.js';
import { functionSchema } from './config.js';
import { FunctionsPlugin } from './functions-plugin.js';

/** A plugin's class with a method for each of its phases. */
type PluginWith<P extends Phase> = new (
  config: PluginConfig,
) => FunctionsPlugin & Readonly<Record<P, (kong: Kong) => Promise<void>>>;

/** The phases in which functions run before or after the other plugins. */
export const REQUEST_PHASES = ['certificate', 'rewrite', 'access', 'log'] as const;

/**
 * What a plugin with functions in these phases exports, but for its version and priority.
 *
 * @example
 * export const { Schema, validate, Plugin } = functionsPlugin('js-pre-function', REQUEST_PHASES);
 */
export function functionsPlugin<P extends Phase>(name: string, phases: readonly P[]) {
  class Plugin extends FunctionsPlugin {
    constructor(config: PluginConfig) {
      super(name, phases, config);
    }
  }
  for (const phase of phases) {
    Object.defineProperty(Plugin.prototype, phase, {
      value(this: Plugin, kong: Kong) {
        return this.handle(phase, kong);
      },
    });
  }
  return {
    Schema: functionSchema(phases),
    validate: validator(phases),
    Plugin: Plugin as unknown as PluginWith<P>,
  };
}

/** Compiles every function, running none. */
function validator(phases: readonly Phase[]): ConfigValidator {
  return (config) => {
    const problems: ConfigProblem[] = [];
    for (const phase of phases) {
      const sources = config[phase];
      if (!Array.isArray(sources)) continue;
      for (const [index, source] of sources.entries()) {
        const fault = typeof source === 'string' ? compileCheck(source) : undefined;
        if (fault === undefined) continue;
        const { message, line, column } = fault;
        problems.push({ path: [phase, index], message, position: { line, column } });
      }
    }
    return problems;
  };
}
