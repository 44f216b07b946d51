import { join } from 'node:path';
import { parseFlags, type Values } from '../command-line/flags.js';
import { type HostAndPort, hostAndPort, oneOf, UsageError, wholeNumber } from '../command-line/values.js';
import { MAX_WORKERS } from './workers/messages.js';

/** What is printed on standard output instead of serving. */
export type Dump = 'plugin' | 'all' | undefined;

/** The command line of the plugin server, understood. */
export interface ServeOptions {
  readonly pluginsDirectory: string | undefined;
  readonly plugins: readonly string[];
  readonly socket: string;
  readonly socketMode: number;
  readonly envFile: string;
  readonly verbosity: number;
  readonly protocol: 'ProtoBuf:1' | 'MsgPack:1';
  readonly dump: Dump;
  /** Whether the dump has the schemas' descriptions, which Kong before 3.4 refuses. */
  readonly descriptions: boolean;
  /** Whether the dump is a schema.lua. */
  readonly lua: boolean;
  /** The folder to which each plugin's dump is written before the server listens. */
  readonly writeDump: string | undefined;
  readonly compat: 'stock' | undefined;
  readonly workers: number;
  /** How long workers go on without the process that started them, in milliseconds; 0: they end with it. */
  readonly lingerMs: number;
  readonly metrics: HostAndPort | undefined;
}

export const SERVE_FLAGS = {
  '-d, --plugins-directory DIR': 'where the plugins are (default: the bundled ones)',
  '--plugin NAME…': 'serve this plugin only (repeatable)',
  '-p, --kong-prefix DIR': 'folder of the socket (default: /usr/local/kong)',
  '--sock-name NAME': 'name of the socket in it (default: js_pluginserver.sock)',
  '--socket PATH': 'path of the socket, instead of the two above',
  '--socket-mode MODE': 'its permissions (default: 0600)',
  '--env-file PATH': 'variables for the plugins (default: /usr/local/kong/kong.env, if it is there)',
  '--workers N': `processes that share the work (default: 1); give it to --dump as well, so that Kong refuses what
    cannot work with several`,
  '--linger SECONDS': `how long they serve on when Kong has ended the process that it started, unless another one takes
    over, and longer while they are used (default: 10; 0: they end with it)`,
  '--metrics HOST:PORT': 'serve Prometheus metrics there',
  '--compat stock': `headers and query arguments as lists, as the stock server gives them; for plugins of your own (-d)`,
  '-v, --verbose…': 'log more; twice for debugging',
  '--dump': `print what Kong's query_cmd needs about one plugin, which --plugin names`,
  '--dump-plugin-info NAME': 'the same',
  '--dump-all-plugins': 'print all plugins; Kong 3.9 and later load only the first',
  '--lua': 'print it as a schema.lua, for control planes (hybrid mode, Konnect)',
  '--write-dump DIR': `write each plugin's dump to DIR/NAME.json before listening, for a Kong that reads it there`,
  '--descriptions': `leave the schemas' descriptions in the dump; Kong before 3.4 does not start with them`,
  '--protocol protobuf|msgpack': `what the dump announces: protobuf (default), or msgpack, with which Kong lets requests
    through whenever the plugin server fails`,
  '--version': 'print the version of this package',
} as const;

/** @throws UsageError naming the flag and what is wrong with it */
export function parseServeFlags(argv: readonly string[]): ServeOptions {
  return serveOptions(parseFlags(SERVE_FLAGS, argv).values);
}

/** @throws UsageError naming the flag and what is wrong with it */
export function serveOptions(
  values: Values<typeof SERVE_FLAGS>,
  socketName = 'js_pluginserver.sock',
): ServeOptions {
  const named = values['dump-plugin-info'];
  const folder = values['kong-prefix'] ?? '/usr/local/kong';
  return {
    pluginsDirectory: values['plugins-directory'],
    plugins: named === undefined ? values.plugin : [named],
    socket: values.socket ?? join(folder, values['sock-name'] ?? socketName),
    socketMode: socketMode(values['socket-mode'] ?? '0600'),
    envFile: values['env-file'] ?? '/usr/local/kong/kong.env',
    verbosity: values.verbose,
    protocol: protocol(values.protocol ?? 'protobuf'),
    dump: values['dump-all-plugins'] ? 'all' : values.dump || named !== undefined ? 'plugin' : undefined,
    descriptions: values.descriptions,
    lua: values.lua,
    writeDump: values['write-dump'],
    compat: values.compat === undefined ? undefined : oneOf('--compat', values.compat, ['stock']),
    workers: wholeNumber('--workers', values.workers ?? '1', 1, MAX_WORKERS),
    lingerMs: wholeNumber('--linger', values.linger ?? '10', 0, 3600) * 1000,
    metrics: values.metrics === undefined ? undefined : hostAndPort('--metrics', values.metrics),
  };
}

/** As the dump spells it, too. */
function protocol(text: string): ServeOptions['protocol'] {
  const name = text.toLowerCase().replace(/:1$/, '');
  return oneOf('--protocol', name, ['protobuf', 'msgpack']) === 'protobuf' ? 'ProtoBuf:1' : 'MsgPack:1';
}

function socketMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new UsageError(`--socket-mode must be three octal digits like 0600, not "${text}"`);
}
