import type { Values } from '../command-line/flags.js';
import { type HostAndPort, hostAndPort, oneOf, portNumber, UsageError } from '../command-line/values.js';

/** The command line of `dev`, understood. */
export interface DevOptions {
  /** The gateway's port; 0: any free one. */
  readonly port: number;
  readonly configFile: string;
  /** Undefined: the bundled plugins. */
  readonly pluginsDirectory: string | undefined;
  /** Where requests for the service host `upstream` go; undefined: to an echo server of our own. */
  readonly upstream: HostAndPort | undefined;
  readonly protocol: 'protobuf' | 'msgpack';
  readonly compat: 'stock' | undefined;
  /** How often -v was given: PDK calls and info, debug. */
  readonly verbosity: number;
  /** `auto`: an embedded one when a plugin asks for one. */
  readonly database: 'auto' | 'none' | { readonly url: string };
  /** SQL files to run in the database, in order. */
  readonly seeds: readonly string[];
  /** Where a debugger may attach to the plugin server: HOST:PORT. */
  readonly inspect: string | undefined;
  /** The port of the inspector's page on 127.0.0.1; 0: any free one; undefined: there is none. */
  readonly inspector: number | undefined;
  /** Unknown plugins and keys of the configuration are noted, not refused. */
  readonly ignoreUnknown: boolean;
  /** What the gateway does not emulate is refused, not noted. */
  readonly strict: boolean;
  /** Print a line of JSON once everything is up, and nothing else on standard output. */
  readonly json: boolean;
  /** The plugin server's environment file; undefined: its default. */
  readonly envFile: string | undefined;
  /** Plugins get this process's environment, too, which they will not have under Kong. */
  readonly inheritEnv: boolean;
}

export const DEV_FLAGS = {
  '--port PORT': "the gateway's port on 127.0.0.1 (default: 8000; 0: any free one)",
  '--config FILE': "Kong's declarative configuration (default: kong.yml); read again when it changes",
  '-d, --plugins-directory DIR': `where the plugins are (default: the bundled ones); the plugin server starts anew when a
    file in it changes`,
  '--upstream HOST:PORT': 'where requests for the service host "upstream" go (default: to the echo upstream)',
  '--protocol protobuf|msgpack':
    'protobuf (default), or msgpack, with which the gateway fails open as Kong does',
  '--compat stock': 'headers and query arguments as lists, as the stock server gives them',
  '--database URL':
    'use this PostgreSQL (postgres://user:password@host:port/name) instead of an embedded one',
  '--no-database': 'start none, whatever the plugins ask for',
  '--seed FILE.sql…': 'run this in the database first (repeatable); starts the embedded one',
  '--inspect[=HOST:PORT]': 'let a debugger attach to the plugin server (default: 127.0.0.1:9229)',
  '--inspector PORT|off':
    'the page that shows what happened to each request (default: 8002; 0: any free one)',
  '--strict': 'refuse what the local gateway does not emulate, which is otherwise noted',
  '--ignore-unknown': 'note unknown plugins and keys of the configuration instead of refusing them',
  '--env-file PATH': 'variables for the plugins (default: /usr/local/kong/kong.env, if it is there)',
  '--inherit-env': 'plugins get the variables of this shell, too; under Kong they will not have them',
  '--json': 'print one line of JSON when everything is up; all else goes to standard error',
  '-v, --verbose…': 'show each PDK call, and log lines from level info on (default: notice); twice: debug',
} as const;

/** @throws UsageError naming the flag and what is wrong with it */
export function devOptions(values: Values<typeof DEV_FLAGS>): DevOptions {
  const { compat, upstream, inspector, inspect } = values;
  const pluginsDirectory = values['plugins-directory'];
  if (compat !== undefined && pluginsDirectory === undefined) throw new UsageError('--compat needs -d');
  return {
    port: portNumber('--port', values.port ?? '8000'),
    configFile: values.config ?? 'kong.yml',
    pluginsDirectory,
    upstream: upstream === undefined ? undefined : hostAndPort('--upstream', upstream, 1),
    protocol: oneOf('--protocol', values.protocol ?? 'protobuf', ['protobuf', 'msgpack']),
    compat: compat === undefined ? undefined : oneOf('--compat', compat, ['stock']),
    verbosity: values.verbose,
    database: database(values.database, values['no-database'], values.seed),
    seeds: values.seed,
    inspect: inspect === undefined ? undefined : inspectAddress(inspect),
    inspector: inspector === 'off' ? undefined : portNumber('--inspector', inspector ?? '8002'),
    strict: values.strict,
    ignoreUnknown: values['ignore-unknown'],
    json: values.json,
    envFile: values['env-file'],
    inheritEnv: values['inherit-env'],
  };
}

function database(url: string | undefined, none: boolean, seeds: readonly string[]): DevOptions['database'] {
  if (none && url !== undefined) throw new UsageError('give either --database or --no-database');
  if (none && seeds.length > 0) throw new UsageError('--seed needs a database');
  if (none) return 'none';
  return url === undefined ? 'auto' : { url };
}

/** As Node's own --inspect takes it: nothing, a port, or HOST:PORT. */
function inspectAddress(text: string): string {
  if (text === '') return '127.0.0.1:9229';
  const { host, port } = hostAndPort('--inspect', /^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
