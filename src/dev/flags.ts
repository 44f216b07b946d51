import { parseCommandLine } from '../command-line.js';
import { DevUsageError } from './errors.js';

/** An address to connect to. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

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
  readonly help: boolean;
}

export const DEV_USAGE = `Usage: kong-ts-pluginserver dev [options]

A local gateway for development and tests, with the plugin server, an echo upstream and, where a plugin asks for
SERVER_DB_…, a throw-away PostgreSQL. Prints a line for each request.

      --port PORT              the gateway's port on 127.0.0.1 (default: 8000; 0: any free one)
      --config FILE            Kong's declarative configuration (default: kong.yml); read again when it changes
  -d, --plugins-directory DIR  where the plugins are (default: the bundled ones); the plugin server starts anew
                               when a file in it changes
      --upstream HOST:PORT     where requests for the service host "upstream" go (default: to the echo upstream)
      --protocol NAME          protobuf (default), or msgpack, with which the gateway fails open as Kong does
      --compat stock           headers and query arguments as lists, as the stock server gives them
      --database URL           use this PostgreSQL (postgres://user:password@host:port/name) instead of an embedded one
      --no-database            start none, whatever the plugins ask for
      --seed FILE.sql          run this in the database first (repeatable); starts the embedded one
      --inspect[=HOST:PORT]    let a debugger attach to the plugin server (default: 127.0.0.1:9229)
      --inspector PORT         the page that shows what happened to each request (default: 8002; 0: any free one; off)
      --strict                 refuse what the local gateway does not emulate, which is otherwise noted
      --ignore-unknown         note unknown plugins and keys of the configuration instead of refusing them
      --env-file PATH          variables for the plugins (default: /usr/local/kong/kong.env, if it is there)
      --inherit-env            plugins get the variables of this shell, too; under Kong they will not have them
      --json                   print one line of JSON when everything is up; all else goes to standard error
  -v, --verbose                show each PDK call, and log lines from level info on (default: notice); twice: debug
      --help
`;

const FLAGS = {
  port: { type: 'string', default: '8000' },
  config: { type: 'string', default: 'kong.yml' },
  'plugins-directory': { type: 'string', short: 'd' },
  upstream: { type: 'string' },
  protocol: { type: 'string', default: 'protobuf' },
  compat: { type: 'string' },
  database: { type: 'string' },
  'no-database': { type: 'boolean', default: false },
  seed: { type: 'string', multiple: true },
  inspect: { type: 'string' },
  inspector: { type: 'string', default: '8002' },
  strict: { type: 'boolean', default: false },
  'ignore-unknown': { type: 'boolean', default: false },
  'env-file': { type: 'string' },
  'inherit-env': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  verbose: { type: 'boolean', short: 'v', multiple: true },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @throws DevUsageError naming the flag and what is wrong with it */
export function parseDevFlags(argv: readonly string[]): DevOptions {
  const values = parse(argv);
  if (values.protocol !== 'protobuf' && values.protocol !== 'msgpack') {
    throw new DevUsageError(`--protocol must be protobuf or msgpack, not "${values.protocol}"`);
  }
  return {
    port: portNumber('--port', values.port, 0),
    configFile: values.config,
    pluginsDirectory: values['plugins-directory'],
    upstream: values.upstream === undefined ? undefined : hostAndPort('--upstream', values.upstream),
    protocol: values.protocol,
    compat: compatibility(values.compat, values['plugins-directory']),
    verbosity: values.verbose?.length ?? 0,
    database: database(values.database, values['no-database'], values.seed),
    seeds: values.seed ?? [],
    inspect: values.inspect === undefined ? undefined : inspectAddress(values.inspect),
    inspector: values.inspector === 'off' ? undefined : portNumber('--inspector', values.inspector, 0),
    strict: values.strict,
    ignoreUnknown: values['ignore-unknown'],
    json: values.json,
    envFile: values['env-file'],
    inheritEnv: values['inherit-env'],
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  try {
    // Its value may be left out, which parseArgs has no word for.
    const args = argv.map((arg) => (arg === '--inspect' ? '--inspect=' : arg));
    return parseCommandLine({ args, options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new DevUsageError((error as Error).message);
  }
}

function compatibility(text: string | undefined, directory: string | undefined): 'stock' | undefined {
  if (text !== undefined && directory === undefined) throw new DevUsageError('--compat needs -d');
  if (text === undefined || text === 'stock') return text;
  throw new DevUsageError(`--compat must be stock, not "${text}"`);
}

function database(
  url: string | undefined,
  none: boolean,
  seeds: readonly string[] | undefined,
): DevOptions['database'] {
  if (none && url !== undefined) throw new DevUsageError('give either --database or --no-database');
  if (none && seeds !== undefined) throw new DevUsageError('--seed needs a database');
  if (none) return 'none';
  return url === undefined ? 'auto' : { url };
}

/** As Node's own --inspect takes it: nothing, a port, or HOST:PORT. */
function inspectAddress(text: string): string {
  if (text === '') return '127.0.0.1:9229';
  if (/^\d+$/.test(text)) return `127.0.0.1:${portNumber('--inspect', text, 0)}`;
  const { host, port } = hostAndPort('--inspect', text, 0);
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function portNumber(flag: string, text: string, lowest: number): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= lowest && port <= 65_535) return port;
  throw new DevUsageError(`${flag} must be a port from ${lowest} to 65535, not "${text}"`);
}

function hostAndPort(flag: string, text: string, lowest = 1): HostAndPort {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (!match) throw new DevUsageError(`${flag} must be HOST:PORT, not "${text}"`);
  return { host: match[1] ?? match[2] ?? '', port: portNumber(flag, match[3] ?? '', lowest) };
}
