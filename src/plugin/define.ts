import { PHASES, type Phase, type PluginClass, type PluginDefinition } from './definition.js';
import { PluginLoadError, type PluginLoadErrorCode } from './errors.js';
import type { PluginParts } from './exports.js';
import { readSchema } from './schema-definition.js';
import type { ConfigValidator } from './validate.js';

/** Where a definition comes from: the file's path and its modification time (Unix seconds), if there is a file. */
export interface DefinitionSource {
  readonly file?: string;
  readonly modifiedAt?: number;
}

/**
 * Checks the parts of a plugin as Kong will check them in the dump, and makes a definition of them.
 *
 * The name is put in lower case and the priority defaults to 0, as the stock server has it. A version is demanded:
 * Kong does not start without one.
 *
 * @throws PluginLoadError `PLUGIN_EXPORTS` or `PLUGIN_SCHEMA`, naming every fault found.
 */
export function definePlugin(parts: PluginParts, source: DefinitionSource = {}): PluginDefinition {
  const faults: { code: PluginLoadErrorCode; text: string }[] = [];
  const fault = (text: string, code: PluginLoadErrorCode = 'PLUGIN_EXPORTS') => faults.push({ code, text });

  const name = typeof parts.name === 'string' ? parts.name.toLowerCase() : '';
  if (!/^[a-z0-9][a-z0-9_.-]*$/.test(name)) {
    fault(`the plugin's name must be letters, digits, "-", "_" or ".", not ${show(parts.name)}`);
  }
  if (!isPluginClass(parts.Plugin)) {
    fault(
      parts.Plugin === undefined
        ? 'exports no class `Plugin`'
        : `\`Plugin\` must be a class, not ${show(parts.Plugin)}`,
    );
  }
  const version = parts.version;
  if (version === undefined) {
    fault('exports no `version` (or `Version`): Kong does not start without one, for instance "1.0.0"');
  } else if (typeof version !== 'string' || !/^\d+\.\d+(\.\d+)?$/.test(version)) {
    fault(`the version must be a string like "1.0.0" or "1.0", not ${show(version)}`);
  }
  const priority = parts.priority ?? 0;
  if (!Number.isSafeInteger(priority)) fault(`the priority must be an integer, not ${show(parts.priority)}`);

  const phases = isPluginClass(parts.Plugin) ? phasesOf(parts.Plugin) : [];
  if (isPluginClass(parts.Plugin) && phases.length === 0) {
    fault(`the class \`Plugin\` has none of the methods ${PHASES.join(', ')}`);
  }
  for (const optional of ['validate', 'prepare'] as const) {
    const value = parts[optional];
    if (value !== undefined && typeof value !== 'function') {
      fault(`\`${optional}\` must be a function, not ${show(value)}`);
    }
  }
  const schema = readSchema(parts.schema);
  for (const { path, message } of schema.faults) fault(`${path}: ${message}`, 'PLUGIN_SCHEMA');

  const [first] = faults;
  if (first !== undefined) {
    throw new PluginLoadError(first.code, source.file ?? '', faults.map(({ text }) => text).join('; '));
  }
  const now = Math.floor(Date.now() / 1000);
  return {
    name,
    version: version as string,
    priority: priority as number,
    phases,
    schema: schema.fields,
    ...(schema.entityChecks.length > 0 && { entityChecks: schema.entityChecks }),
    ...(schema.noConsumer && { noConsumer: true }),
    Plugin: parts.Plugin as PluginClass,
    ...(parts.validate !== undefined && { validate: parts.validate as ConfigValidator }),
    ...(parts.prepare !== undefined && { prepare: parts.prepare as () => unknown }),
    ...(source.file !== undefined && { file: source.file }),
    modifiedAt: source.modifiedAt ?? now,
    loadedAt: now,
  };
}

function isPluginClass(value: unknown): value is PluginClass {
  return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null;
}

/** The phases that the class or one it extends has methods for. Getters are looked at, never run. */
function phasesOf(Plugin: PluginClass): Phase[] {
  const methods = new Set<string>();
  const seen = new Set<string>();
  for (
    let prototype: object | null = Plugin.prototype as object;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const phase of PHASES) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, phase);
      if (descriptor === undefined || seen.has(phase)) continue;
      seen.add(phase);
      if (typeof descriptor.value === 'function') methods.add(phase);
    }
  }
  return PHASES.filter((phase) => methods.has(phase));
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}
