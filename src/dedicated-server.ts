import { loadEnvFile } from './env-file.js';
import { definitionFromParts } from './plugin/dedicated.js';
import type { PluginClass } from './plugin/definition.js';
import { dump } from './plugin/dump.js';
import { reserveStdout } from './plugin/quiet-stdout.js';
import { describeError } from './server/errors.js';
import { parseServeFlags } from './server/flags.js';
import { serve } from './server/serve.js';
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
    process.env.KONG_TS_ENV_FILE = options.envFile;
    const warning = loadEnvFile(options.envFile);
    if (warning !== undefined && options.dump === undefined) process.stderr.write(`${name}: ${warning}\n`);
    if (options.show === 'version') process.stdout.write(`${packageVersion()}\n`);
    else if (options.dump !== undefined) {
      const print = reserveStdout();
      print(`${dump([definition], options)}\n`);
      process.exit(0);
    } else {
      const { compat } = options;
      await serve(async () => [compat === undefined ? definition : { ...definition, compat }], options);
    }
  } catch (error) {
    process.stderr.write(`${name}: ${describeError(error)}\n`);
    process.exit(1);
  }
}
