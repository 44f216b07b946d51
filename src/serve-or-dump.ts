import { UsageError } from './command-line/values.js';
import { loadEnvFile } from './env-file.js';
import type { PluginDefinition } from './plugin/definition.js';
import { describeError } from './server/errors.js';
import type { ServeOptions } from './server/flags.js';
import { WORKER_VARIABLE, WORKERS_VARIABLE } from './server/workers/messages.js';

/**
 * What the command line of a plugin server asks for: to serve, or to print what Kong's `query_cmd` wants to know.
 *
 * @param name of the program, which begins what it says
 * @param load loads the plugins; called where they are needed, which is not in this process when workers serve them
 * @returns the exit code; undefined while serving, since the process stays up by itself
 * @throws PluginServerError what cannot be done
 */
export async function serveOrDump(
  name: string,
  options: ServeOptions,
  load: () => Promise<readonly PluginDefinition[]>,
): Promise<number | undefined> {
  process.env.KONG_TS_ENV_FILE = options.envFile;
  process.env[WORKERS_VARIABLE] = String(options.workers);
  const warning = loadEnvFile(options.envFile);
  // Workers would say it again, and a dump's lines are those of a start that comes anyway.
  if (warning !== undefined && options.dump === undefined && process.env[WORKER_VARIABLE] === undefined) {
    process.stderr.write(`${name}: ${warning}\n`);
  }
  if (options.dump !== undefined) return await printDump(options, load);
  const { serve } = await import('./server/serve.js');
  if (await serve(() => loadToServe(options, load), options)) return undefined;
  process.stderr.write(`${name}: no plugin could be loaded\n`);
  return 1;
}

async function printDump(
  options: ServeOptions,
  load: () => Promise<readonly PluginDefinition[]>,
): Promise<number> {
  const [{ reserveStdout }, { dump }] = await Promise.all([
    import('./plugin/quiet-stdout.js'),
    import('./plugin/dump.js'),
  ]);
  const print = reserveStdout();
  const plugins = await load();
  if (plugins.length === 0) return 1;
  if (options.dump === 'plugin' && plugins.length > 1) {
    const names = plugins.map(({ name }) => name).join(', ');
    throw new UsageError(`--dump prints one plugin: name it with --plugin (there are: ${names})`);
  }
  if (options.protocol === 'MsgPack:1') {
    process.stderr.write(
      'warning: over MsgPack:1 Kong lets requests through whenever the plugin server fails\n',
    );
  }
  if (options.lua) {
    const [plugin, ...others] = plugins as [PluginDefinition, ...PluginDefinition[]];
    if (others.length > 0) throw new UsageError('--lua prints one schema: name the plugin with --plugin');
    const { luaSchema } = await import('./plugin/lua-schema.js');
    print(luaSchema(plugin));
  } else print(`${dump(plugins, options)}\n`);
  return 0;
}

/** The dumps are there before anybody can connect: who sees the socket finds them, too. */
async function loadToServe(
  options: ServeOptions,
  load: () => Promise<readonly PluginDefinition[]>,
): Promise<readonly PluginDefinition[]> {
  const plugins = await load();
  if (options.writeDump !== undefined) {
    const { writeDumps } = await import('./plugin/write-dumps.js');
    writeDumps(options.writeDump, plugins, options);
  }
  for (const plugin of plugins) prepare(plugin);
  return plugins;
}

/** A plugin that cannot prepare says so, and is served all the same: its first request finds out what is wrong. */
function prepare({ name, prepare }: PluginDefinition): void {
  const failed = (error: unknown) =>
    process.stderr.write(`plugin "${name}": prepare threw: ${describeError(error)}\n`);
  try {
    Promise.resolve(prepare?.()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
