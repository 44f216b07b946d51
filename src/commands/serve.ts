import { fileURLToPath } from 'node:url';
import { defineCommand } from '../command-line/command.js';
import { UsageError } from '../command-line/values.js';
import type { PluginDefinition } from '../plugin/definition.js';
import { serveOrDump } from '../serve-or-dump.js';
import { SERVE_FLAGS, type ServeOptions, serveOptions } from '../server/flags.js';
import { packageVersion } from '../version.js';

/** The plugins that come with this package, beside its sources or its build. */
const BUNDLED_PLUGINS = fileURLToPath(new URL('../../plugins', import.meta.url));

/** `kong-ts-pluginserver serve`, and what Kong runs as `query_cmd`. */
export const command = defineCommand({
  program: 'kong-ts-pluginserver',
  usage: 'kong-ts-pluginserver [serve] [options]',
  flags: SERVE_FLAGS,
  async run(values) {
    if (values.version) {
      process.stdout.write(`${packageVersion()}\n`);
      return 0;
    }
    const options = serveOptions(values);
    if (options.compat !== undefined && options.pluginsDirectory === undefined) {
      throw new UsageError('--compat is for plugins of your own: name their directory with -d');
    }
    return await serveOrDump('kong-ts-pluginserver', options, () => load(options));
  },
});

async function load(options: ServeOptions): Promise<readonly PluginDefinition[]> {
  const directory = options.pluginsDirectory ?? BUNDLED_PLUGINS;
  const { loadPlugins } = await import('../plugin/loader.js');
  const { plugins, failures } = await loadPlugins(
    directory,
    options.plugins.length === 0 ? {} : { only: options.plugins },
  );
  for (const failure of failures) process.stderr.write(`kong-ts-pluginserver: ${failure.message}\n`);
  return options.compat === undefined ? plugins : plugins.map((plugin) => ({ ...plugin, compat: 'stock' }));
}
