import type { Phase, PluginDefinition } from '../../plugin/definition.js';
import { validateConfig } from '../../plugin/schema.js';
import { findConfigProblems, type ValidationContext } from '../../plugin/validate.js';
import { FUNCTION_PHASES, FUNCTION_PLUGINS, validateFunctionConfig } from './function-plugins.js';
import type { ConfigFault, ValidatedPluginConfig } from './validated-config.js';

export type { ConfigFault, ValidatedPluginConfig };

/** What the gateway has to know of a plugin to configure and to order it. */
export interface PluginKind {
  readonly name: string;
  /** Kong runs higher numbers first. */
  readonly priority: number;
  readonly phases: readonly (Phase | (typeof FUNCTION_PHASES)[number])[];
  /** `lua`: runs in the gateway's own Lua VM; `server`: in the plugin server. */
  readonly runsIn: 'server' | 'lua';
  /** It cannot be configured for a consumer. */
  readonly noConsumer: boolean;
  /** Fills in defaults and names faults. */
  validate(config: unknown): ValidatedPluginConfig;
}

/** The plugins a declarative config may name. */
export type PluginCatalog = ReadonlyMap<string, PluginKind>;

/** What the catalog takes of a definition. */
export type CatalogedPlugin = Pick<
  PluginDefinition,
  'name' | 'priority' | 'phases' | 'schema' | 'entityChecks' | 'noConsumer' | 'validate' | 'file'
>;

/**
 * The catalog of the plugin server's plugins, with Kong's `pre-function` and `post-function` beside them.
 *
 * @param context what the plugins' own `validate` is told of the server
 */
export function pluginCatalog(
  definitions: readonly CatalogedPlugin[],
  context: ValidationContext = {},
): PluginCatalog {
  const catalog = new Map<string, PluginKind>();
  for (const [name, priority] of FUNCTION_PLUGINS) {
    catalog.set(name, {
      name,
      priority,
      phases: FUNCTION_PHASES,
      runsIn: 'lua',
      noConsumer: true,
      validate: validateFunctionConfig,
    });
  }
  for (const definition of definitions) {
    const { name, priority, phases, schema, entityChecks, noConsumer = false } = definition;
    const validate = (config: unknown) => {
      const result = validateConfig(schema, config, entityChecks);
      const faults = result.errors.map(({ segments, message }): ConfigFault => ({ path: segments, message }));
      // A plugin may rely on its schema, as it does in Kong.
      if (faults.length > 0) return { config: result.config, faults };
      return {
        config: result.config,
        faults: findConfigProblems(definition, result.config, context),
      };
    };
    catalog.set(name, { name, priority, phases, runsIn: 'server', noConsumer, validate });
  }
  return catalog;
}
