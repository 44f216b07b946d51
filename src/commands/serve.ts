import { fileURLToPath } from 'node:url';
import type { PluginDefinition } from '../plugin/definition.js';
import { serveOrDump } from '../serve-or-dump.js';
import { describeError } from '../server/errors.js';
import { parseServeFlags, type ServeOptions, UsageError } from '../server/flags.js';
import { packageVersion } from '../version.js';

const USAGE = `Usage: kong-ts-pluginserver [serve] [options]

  -d, --plugins-directory DIR  where the plugins are (default: the bundled ones)
      --plugin NAME            serve this plugin only (repeatable)
  -p, --kong-prefix DIR        folder of the socket (default: /usr/local/kong)
      --sock-name NAME         name of the socket in it (default: js_pluginserver.sock)
      --socket PATH            path of the socket, instead of the two above
      --socket-mode MODE       its permissions (default: 0600)
      --env-file PATH          variables for the plugins (default: /usr/local/kong/kong.env, if it is there)
      --workers N              processes that share the work (default: 1); give it to --dump as well, so that Kong
                               refuses what cannot work with several
      --linger SECONDS         how long they serve on when Kong has ended the process that it started, unless another
                               one takes over, and longer while they are used (default: 10; 0: they end with it)
      --metrics HOST:PORT      serve Prometheus metrics there
      --compat stock           headers and query arguments as lists, as the stock server gives them; for plugins of
                               your own (-d)
  -v, --verbose                log more; twice for debugging
      --dump --plugin NAME     print what Kong's query_cmd needs about one plugin
      --dump-plugin-info NAME  the same
      --dump-all-plugins       print all plugins; Kong 3.9 and later load only the first
      --lua                    print it as a schema.lua, for control planes (hybrid mode, Konnect)
      --write-dump DIR         write each plugin's dump to DIR/NAME.json before listening, for a Kong that reads it there
      --descriptions           leave the schemas' descriptions in the dump; Kong before 3.4 does not start with them
      --protocol NAME          what the dump announces: protobuf (default), or msgpack, with which Kong lets
                               requests through whenever the plugin server fails
      --version, --help
`;

/** The plugins that come with this package, beside its sources or its build. */
const BUNDLED_PLUGINS = fileURLToPath(new URL('../../plugins', import.meta.url));

/**
 * `kong-ts-pluginserver serve`, and what Kong runs as `query_cmd`.
 *
 * @returns the exit code; 0 while serving, since the process stays up by itself
 */
export async function run(argv: string[]): Promise<number> {
  try {
    const options = parseServeFlags(argv);
    if (options.compat !== undefined && options.pluginsDirectory === undefined) {
      throw new UsageError('--compat is for plugins of your own: name their directory with -d');
    }
    if (options.show === undefined) return await runPlugins(options);
    process.stdout.write(options.show === 'help' ? USAGE : `${packageVersion()}\n`);
    return 0;
  } catch (error) {
    return report(error);
  }
}

/** Returns while serving only. */
async function runPlugins(options: ServeOptions): Promise<number> {
  let code: number | undefined;
  try {
    code = await serveOrDump('kong-ts-pluginserver', options, () => load(options));
  } catch (error) {
    code = report(error);
  }
  if (code === undefined) return 0;
  // A plugin may have left timers or connections behind, and Kong waits for the end of this process.
  process.exit(code);
}

/** Says what went wrong; the exit code. */
function report(error: unknown): number {
  process.stderr.write(`kong-ts-pluginserver: ${describeError(error)}\n`);
  if (!(error instanceof UsageError)) return 1;
  process.stderr.write(`\n${USAGE}`);
  return 2;
}

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
