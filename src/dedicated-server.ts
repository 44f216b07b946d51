import { defineCommand } from './command-line/command.js';
import { definitionFromParts } from './plugin/dedicated.js';
import type { PluginClass } from './plugin/definition.js';
import type { ConfigValidator } from './plugin/validate.js';
import { serveOrDump } from './serve-or-dump.js';
import { SERVE_FLAGS, serveOptions } from './server/flags.js';
import { packageVersion } from './version.js';

/**
 * Turns one plugin file into a plugin server of its own, as the function of this name in Kong's Python PDK does. It
 * reads the process's command line: `-p`, `--sock-name` (default: the plugin's name + `.sock`), `--socket`, `-v`,
 * `--env-file`, and `--dump` for Kong's `query_cmd`. Ends the process on errors.
 *
 * ```ts
 * if (process.argv[1] === import.meta.filename) {
 *   await startDedicatedServer('hello', Plugin, version, priority, Schema, validate);
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
  validate?: ConfigValidator,
): Promise<void> {
  const definition = definitionFromParts(name, Plugin, version, priority, Schema, validate);
  const command = defineCommand({
    program: name,
    flags: SERVE_FLAGS,
    async run(values) {
      if (values.version) {
        process.stdout.write(`${packageVersion()}\n`);
        return 0;
      }
      const options = serveOptions(values, `${name}.sock`);
      const { compat } = options;
      const plugins = [compat === undefined ? definition : { ...definition, compat }];
      return await serveOrDump(name, options, async () => plugins);
    },
  });
  const code = await command.run(process.argv.slice(2));
  if (code !== undefined) process.exit(code);
}
