import { definitionFromParts } from './plugin/dedicated.js';
import type { PluginClass } from './plugin/definition.js';
import { serveOrDump } from './serve-or-dump.js';
import { describeError } from './server/errors.js';
import { parseServeFlags } from './server/flags.js';
import { packageVersion } from './version.js';

/**
 * Turns one plugin file into a plugin server of its own, as the function of this name in Kong's Python PDK does. It
 * reads the process's command line: `-p`, `--sock-name` (default: the plugin's name + `.sock`), `--socket`, `-v`,
 * `--env-file`, and `--dump` for Kong's `query_cmd`. Ends the process on errors.
 *
 * ```ts
 * if (process.argv[1] === import.meta.filename) {
 *   await startDedicatedServer('hello', Plugin, version, priority, Schema);
 * }
 * ```
 *
 * @throws PluginLoadError when the parts do not make a plugin
 */
export async function startDedicatedServer(
  name: string,
  Plugin: PluginClass,
  version: string,
  priority: number,
  Schema: unknown = [],
): Promise<void> {
  const definition = definitionFromParts(name, Plugin, version, priority, Schema);
  try {
    const options = parseServeFlags(process.argv.slice(2), `${name}.sock`);
    if (options.show === 'version') process.stdout.write(`${packageVersion()}\n`);
    if (options.show === 'help')
      process.stdout.write(`Usage: ${name} [the options of kong-ts-pluginserver serve]\n`);
    if (options.show !== undefined) return;
    const { compat } = options;
    const plugins = [compat === undefined ? definition : { ...definition, compat }];
    const code = await serveOrDump(name, options, async () => plugins);
    if (code !== undefined) process.exit(code);
  } catch (error) {
    process.stderr.write(`${name}: ${describeError(error)}\n`);
    process.exit(1);
  }
}
