import { join } from 'node:path';

/** How plugins are to be run by Kong. */
export interface KongConfOptions {
  /** The plugins' names; all of them are served by one process on one socket. */
  readonly plugins: readonly string[];
  /** What to run, in full: Kong starts it without PATH. */
  readonly command: string;
  /** Their directory, in full; undefined: the bundled plugins. */
  readonly pluginsDirectory: string | undefined;
  readonly socket: string;
  readonly workers: number;
  /** The file with the plugins' variables, in full; undefined: the server's own default. */
  readonly envFile: string | undefined;
  /** The folder with the dumps that a sidecar, or the build of an image, has written; undefined: Kong asks for them. */
  readonly dumps: string | undefined;
  /** Whether Kong starts the server. Default: when there is no folder with dumps. */
  readonly kongStarts?: boolean | undefined;
}

/**
 * The settings that tell Kong of plugins, in the order in which kong.conf has them: one entry per plugin, since Kong 3.9
 * loads only the first plugin of each dump. Only the first entry has a `start_cmd`.
 *
 * @see kong.conf, which a test holds to this
 */
export function kongSettings(options: KongConfOptions): [setting: string, value: string][] {
  const {
    plugins,
    command,
    pluginsDirectory,
    socket,
    workers,
    envFile,
    dumps,
    kongStarts = dumps === undefined,
  } = options;
  const flags = (served: readonly string[]) =>
    [
      ...(pluginsDirectory === undefined ? [] : [`-d ${pluginsDirectory}`]),
      ...served.map((name) => `--plugin ${name}`),
      ...(workers === 1 ? [] : [`--workers ${workers}`]),
      ...(envFile === undefined ? [] : [`--env-file ${envFile}`]),
      `--socket ${socket}`,
    ].join(' ');
  const settings: [string, string][] = [
    ['plugins', ['bundled', ...plugins].join(',')],
    ['pluginserver_names', plugins.map(entryName).join(',')],
  ];
  for (const [index, plugin] of plugins.entries()) {
    const prefix = `pluginserver_${entryName(plugin)}`;
    settings.push([`${prefix}_socket`, socket]);
    if (kongStarts && index === 0) {
      settings.push([`${prefix}_start_cmd`, `${command} serve ${flags(plugins)}`]);
    }
    const dump =
      dumps === undefined
        ? `${command} --dump ${flags([plugin])}`
        : `/bin/cat ${join(dumps, `${plugin}.json`)}`;
    settings.push([`${prefix}_query_cmd`, dump]);
  }
  return settings;
}

/** Kong names plugin servers in settings and variables, where only letters, digits and `_` can stand. */
function entryName(plugin: string): string {
  return plugin.replace(/[^a-z0-9]/g, '_');
}
