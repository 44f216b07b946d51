import { isAbsolute, join, resolve } from 'node:path';
import { defineCommand } from '../command-line/command.js';
import { UsageError, wholeNumber } from '../command-line/values.js';
import { packageFile } from '../dev/package-files.js';
import { kongSettings } from '../plugin/kong-conf.js';
import { loadPlugins } from '../plugin/loader.js';
import { MAX_WORKERS } from '../server/workers/messages.js';

export const command = defineCommand({
  program: 'kong-ts-pluginserver conf',
  about:
    'Prints the lines of kong.conf that tell Kong of the plugins in a directory: one entry for each, one process for all.',
  flags: {
    '-d, --plugins-directory DIR': 'where the plugins are (default: the bundled ones)',
    '--plugin NAME…': 'this plugin only (repeatable)',
    '-p, --kong-prefix DIR': 'folder of the socket (default: /usr/local/kong)',
    '--sock-name NAME': 'name of the socket in it (default: that of the first plugin, with .sock)',
    '--workers N': 'processes that share the work (default: 1)',
    '--env-file PATH': "file with the plugins' variables (default: the server's, /usr/local/kong/kong.env)",
    '--command PATH': 'what Kong runs (default: /usr/local/bin/kong-ts-pluginserver)',
    '--sidecar DIR': `for a server that somebody else starts: Kong reads the dumps that "serve --write-dump DIR" has
      written`,
    '--dumps DIR': 'Kong reads dumps that were written there when the image was built: DIR/NAME.json',
    '--env': 'as environment variables (KONG_…), not as lines of kong.conf',
  },
  async run(values) {
    const { plugin: only, command: program = '/usr/local/bin/kong-ts-pluginserver', sidecar, dumps } = values;
    const envFile = values['env-file'];
    const workers = wholeNumber('--workers', values.workers ?? '1', 1, MAX_WORKERS);
    const prefix = values['kong-prefix'] ?? '/usr/local/kong';
    for (const [flag, path = '/'] of Object.entries({
      'kong-prefix': prefix,
      sidecar,
      dumps,
      'env-file': envFile,
    })) {
      if (!isAbsolute(path)) throw new UsageError(`--${flag} must be a full path, not "${path}"`);
    }
    const own = values['plugins-directory'];
    const { plugins, failures } = await loadPlugins(
      own ?? packageFile('plugins'),
      only.length === 0 ? {} : { only },
    );
    for (const { message } of failures) process.stderr.write(`kong-ts-pluginserver conf: ${message}\n`);
    if (failures.length > 0) return 1;
    // In the order in which they were asked for.
    const names = only.length > 0 ? only : plugins.map(({ name }) => name);
    const settings = kongSettings({
      plugins: names,
      command: program,
      pluginsDirectory: own === undefined ? undefined : resolve(own),
      socket: join(prefix, values['sock-name'] ?? `${names[0]}.sock`),
      workers,
      envFile,
      dumps: sidecar ?? dumps,
      kongStarts: sidecar === undefined,
    });
    for (const [setting, value] of settings) {
      process.stdout.write(
        values.env ? `KONG_${setting.toUpperCase()}=${value}\n` : `${setting} = ${value}\n`,
      );
    }
    return 0;
  },
});
