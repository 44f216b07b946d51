import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { definePlugin } from '../plugin/define.js';
import type { PluginDefinition } from '../plugin/definition.js';
import { readExports } from '../plugin/exports.js';
import { loadPlugins } from '../plugin/loader.js';
import { TestKitError } from './errors.js';

/**
 * The plugins of a test: modules by the plugin's name (`{ hello: await import('./index.js') }`), or a directory, of
 * which all are loaded, as `-d` does.
 */
export type TestPlugins = string | URL | Readonly<Record<string, object>>;

/** @throws TestKitError `TEST_PLUGINS` naming every fault */
export async function testPlugins(plugins: TestPlugins): Promise<PluginDefinition[]> {
  if (typeof plugins === 'string' || plugins instanceof URL) {
    const directory = plugins instanceof URL ? fileURLToPath(plugins) : plugins;
    const loaded = await loadPlugins(directory);
    if (loaded.failures.length > 0) {
      throw new TestKitError('TEST_PLUGINS', loaded.failures.map(({ message }) => message).join('\n'));
    }
    if (loaded.plugins.length === 0) {
      throw new TestKitError('TEST_PLUGINS', `there is no plugin in ${basename(dirname(directory))}`);
    }
    return loaded.plugins;
  }
  return Object.entries(plugins).map(([name, module]) => testPlugin(name, module));
}

/** @throws TestKitError `TEST_PLUGINS` */
export function testPlugin(name: string, module: object): PluginDefinition {
  try {
    const parts = readExports(module);
    return definePlugin({ ...parts, name: parts.name ?? name });
  } catch (cause) {
    throw new TestKitError('TEST_PLUGINS', `${name}: ${(cause as Error).message}`, { cause });
  }
}
