import { parseArgs } from 'node:util';
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
  /** The lowest level of the gateway's log that is shown. */
  readonly verbose: boolean;
  readonly help: boolean;
}

export const DEV_USAGE = `Usage: kong-ts-pluginserver dev [options]

A local gateway for development and tests, with the plugin server, a throw-away PostgreSQL and an echo upstream.

      --port PORT              the gateway's port on 127.0.0.1 (default: 8000; 0: any free one)
      --config FILE            Kong's declarative configuration (default: kong.yml); read again when it changes
  -d, --plugins-directory DIR  where the plugins are (default: the bundled ones); the plugin server starts anew
                               when a file in it changes
      --upstream HOST:PORT     where requests for the service host "upstream" go (default: to the echo upstream)
      --protocol NAME          protobuf (default), or msgpack, with which the gateway fails open as Kong does
  -v, --verbose                show the gateway's log from level info on (default: notice)
      --help
`;

const FLAGS = {
  port: { type: 'string', default: '8000' },
  config: { type: 'string', default: 'kong.yml' },
  'plugins-directory': { type: 'string', short: 'd' },
  upstream: { type: 'string' },
  protocol: { type: 'string', default: 'protobuf' },
  verbose: { type: 'boolean', short: 'v', default: false },
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
    verbose: values.verbose,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new DevUsageError((error as Error).message);
  }
}

function portNumber(flag: string, text: string, lowest: number): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= lowest && port <= 65_535) return port;
  throw new DevUsageError(`${flag} must be a port from ${lowest} to 65535, not "${text}"`);
}

function hostAndPort(flag: string, text: string): HostAndPort {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (!match) throw new DevUsageError(`${flag} must be HOST:PORT, not "${text}"`);
  return { host: match[1] ?? match[2] ?? '', port: portNumber(flag, match[3] ?? '', 1) };
}
