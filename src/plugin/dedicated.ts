import { definePlugin } from './define.js';
import type { PluginClass, PluginDefinition } from './definition.js';
import type { ConfigValidator } from './validate.js';

/**
 * The definition of a plugin whose own file is the server's entry, from the arguments of `startDedicatedServer`
 * (their order is the one that the Python PDK uses).
 *
 * @throws PluginLoadError as for a plugin that is loaded from a directory.
 */
export function definitionFromParts(
  name: string,
  Plugin: PluginClass,
  version: string,
  priority: number,
  Schema: unknown,
  validate?: ConfigValidator,
): PluginDefinition {
  return definePlugin({ name, Plugin, version, priority, schema: Schema, validate });
}
