import { isAbsolute, join, resolve } from 'node:path';
import { parseCommandLine } from '../command-line.js';
import { packageFile } from '../dev/package-files.js';
import { kongSettings } from '../plugin/kong-conf.js';
import { loadPlugins } from '../plugin/loader.js';
import { wholeNumber } from '../server/flags.js';
import { MAX_WORKERS } from '../server/workers/messages.js';

const USAGE = `Usage: kong-ts-pluginserver conf [options]

Prints the lines of kong.conf that tell Kong of the plugins in a directory: one entry for each, one process for all.

  -d, --plugins-directory DIR  where the plugins are (default: the bundled ones)
      --plugin NAME            this plugin only (repeatable)
  -p, --kong-prefix DIR        folder of the socket (default: /usr/local/kong)
      --sock-name NAME         name of the socket in it (default: that of the first plugin, with .sock)
      --workers N              processes that share the work (default: 1)
      --env-file PATH          file with the plugins' variables (default: the server's, /usr/local/kong/kong.env)
      --command PATH           what Kong runs (default: /usr/local/bin/kong-ts-pluginserver)
      --sidecar DIR            for a server that somebody else starts: Kong reads the dumps that "serve --write-dump DIR"
                               has written
      --env                    as environment variables (KONG_…), not as lines of kong.conf
  -h, --help                   this text
`;

/**
 * `kong-ts-pluginserver conf`.
 *
 * @returns the exit code: 0, 1 when there is no such plugin or it cannot be loaded, 2 for a wrong command line
 */
export async function run(argv: string[]): Promise<number> {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (error) {
    process.stderr.write(`kong-ts-pluginserver conf: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const own = values['plugins-directory'];
  const { plugins, failures } = await loadPlugins(
    own ?? packageFile('plugins'),
    values.plugin === undefined ? {} : { only: values.plugin },
  );
  for (const { message } of failures) process.stderr.write(`kong-ts-pluginserver conf: ${message}\n`);
  if (failures.length > 0) return 1;
  // In the order in which they were asked for.
  const names = values.plugin ?? plugins.map(({ name }) => name);
  const socket = join(values['kong-prefix'], values['sock-name'] ?? `${names[0]}.sock`);
  const settings = kongSettings({
    plugins: names,
    command: values.command,
    pluginsDirectory: own === undefined ? undefined : resolve(own),
    socket,
    workers: values.workers,
    envFile: values['env-file'],
    dumps: values.sidecar,
  });
  for (const [setting, value] of settings) {
    process.stdout.write(values.env ? `KONG_${setting.toUpperCase()}=${value}\n` : `${setting} = ${value}\n`);
  }
  // A plugin may have left timers or connections behind.
  process.exit(0);
}

function parse(argv: string[]) {
  const { values } = parseCommandLine({
    args: argv,
    allowPositionals: false,
    options: {
      'plugins-directory': { type: 'string', short: 'd' },
      plugin: { type: 'string', multiple: true },
      'kong-prefix': { type: 'string', short: 'p', default: '/usr/local/kong' },
      'sock-name': { type: 'string' },
      workers: { type: 'string', default: '1' },
      'env-file': { type: 'string' },
      command: { type: 'string', default: '/usr/local/bin/kong-ts-pluginserver' },
      sidecar: { type: 'string' },
      env: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const workers = wholeNumber('--workers', values.workers, 1, MAX_WORKERS);
  for (const flag of ['kong-prefix', 'sidecar', 'env-file'] as const) {
    const path = values[flag];
    if (path !== undefined && !isAbsolute(path))
      throw new TypeError(`--${flag} must be a full path, not "${path}"`);
  }
  return { ...values, workers };
}
