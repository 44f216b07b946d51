import type { Phase, PluginConfig } from 'kong-ts-pluginserver';
import { FunctionConfigError } from './errors.js';
import { LIMIT_SETTINGS } from './sandbox/limits.js';

/** The functions of one phase, in the order in which they run. */
export interface PhaseFunctions {
  readonly phase: Phase;
  readonly sources: readonly string[];
}

/**
 * The `Schema` of a plugin with functions in these phases: an array of strings each, at least one of them given, and
 * the limits.
 */
export function functionSchema(phases: readonly Phase[]) {
  return {
    fields: [
      ...phases.map((phase) => ({
        [phase]: {
          type: 'array',
          elements: { type: 'string' },
          default: [],
          description: `JavaScript or TypeScript functions, run in order in the ${phase} phase.`,
        },
      })),
      ...Object.values(LIMIT_SETTINGS).map(({ field, least, most, description }) => ({
        [field]: { type: 'integer', between: [least, most], description },
      })),
    ],
    entity_checks: [{ at_least_one_of: [...phases] }],
  };
}

/**
 * Reads the functions out of a configuration; phases without any are left out.
 *
 * @throws FunctionConfigError naming the field that is wrong, or when there is no function at all
 */
export function readFunctions(config: PluginConfig, phases: readonly Phase[]): PhaseFunctions[] {
  const found: PhaseFunctions[] = [];
  for (const phase of phases) {
    const value = config[phase] ?? [];
    // Kong's Lua side cannot tell an empty array from an empty object.
    const list = Array.isArray(value) || Object.keys(value).length > 0 ? value : [];
    if (!Array.isArray(list)) throw new FunctionConfigError(`config.${phase} must be an array of strings`);
    for (const [index, source] of list.entries()) {
      if (typeof source !== 'string') {
        throw new FunctionConfigError(`config.${phase}[${index}] must be a string`);
      }
    }
    if (list.length > 0) found.push({ phase, sources: list as string[] });
  }
  if (found.length === 0) {
    throw new FunctionConfigError(`the configuration has no function: set one of ${phases.join(', ')}`);
  }
  return found;
}
