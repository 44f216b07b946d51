import { join } from 'node:path';
import type { ParseArgsConfig } from 'node:util';
import { parseCommandLine } from '../command-line.js';
import { PluginServerError } from '../errors.js';
import { MAX_WORKERS } from './workers/messages.js';

/** The command line cannot be understood. */
export class UsageError extends PluginServerError {
  constructor(message: string) {
    super('USAGE', message);
  }
}

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
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly show: 'help' | 'version' | undefined;
}

const DEFAULT_PREFIX = '/usr/local/kong';
const DEFAULT_SOCKET_NAME = 'js_pluginserver.sock';
const DEFAULT_ENV_FILE = '/usr/local/kong/kong.env';

/** The stock server takes these with one dash, too. */
const SINGLE_DASH = new Set([
  '-kong-prefix',
  '-plugins-directory',
  '-dump',
  '-dump-plugin-info',
  '-dump-all-plugins',
]);

const FLAGS = {
  'plugins-directory': { type: 'string', short: 'd' },
  'kong-prefix': { type: 'string', short: 'p', default: DEFAULT_PREFIX },
  'sock-name': { type: 'string' },
  socket: { type: 'string' },
  'socket-mode': { type: 'string', default: '0600' },
  plugin: { type: 'string', multiple: true },
  'env-file': { type: 'string', default: DEFAULT_ENV_FILE },
  protocol: { type: 'string', default: 'protobuf' },
  dump: { type: 'boolean', default: false },
  'dump-all-plugins': { type: 'boolean', default: false },
  'dump-plugin-info': { type: 'string' },
  descriptions: { type: 'boolean', default: false },
  lua: { type: 'boolean', default: false },
  'write-dump': { type: 'string' },
  compat: { type: 'string' },
  workers: { type: 'string', default: '1' },
  linger: { type: 'string', default: '10' },
  metrics: { type: 'string' },
  verbose: { type: 'boolean', short: 'v', multiple: true },
  version: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} satisfies ParseArgsConfig['options'];

/** @throws UsageError naming the flag and what is wrong with it */
export function parseServeFlags(argv: readonly string[], socketName = DEFAULT_SOCKET_NAME): ServeOptions {
  const values = parse(argv);
  const named = values['dump-plugin-info'];
  return {
    pluginsDirectory: values['plugins-directory'],
    plugins: named === undefined ? (values.plugin ?? []) : [named],
    socket: values.socket ?? join(values['kong-prefix'], values['sock-name'] ?? socketName),
    socketMode: socketMode(values['socket-mode']),
    envFile: values['env-file'],
    verbosity: values.verbose?.length ?? 0,
    protocol: protocol(values.protocol),
    dump: values['dump-all-plugins'] ? 'all' : values.dump || named !== undefined ? 'plugin' : undefined,
    descriptions: values.descriptions,
    lua: values.lua,
    writeDump: values['write-dump'],
    compat: compatibility(values.compat),
    workers: wholeNumber('--workers', values.workers, 1, MAX_WORKERS),
    lingerMs: wholeNumber('--linger', values.linger, 0, 3600) * 1000,
    metrics: values.metrics === undefined ? undefined : hostAndPort(values.metrics),
    show: values.help ? 'help' : values.version ? 'version' : undefined,
  };
}

function parse(argv: readonly string[]) {
  const args = argv.map((arg) => (SINGLE_DASH.has(arg) ? `-${arg}` : arg));
  try {
    return parseCommandLine({ args, options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function protocol(text: string): ServeOptions['protocol'] {
  switch (text.toLowerCase()) {
    case 'protobuf':
    case 'protobuf:1':
      return 'ProtoBuf:1';
    case 'msgpack':
    case 'msgpack:1':
      return 'MsgPack:1';
    default:
      throw new UsageError(`--protocol must be protobuf or msgpack, not "${text}"`);
  }
}

function compatibility(text: string | undefined): 'stock' | undefined {
  if (text === undefined || text === 'stock') return text;
  throw new UsageError(`--compat must be stock, not "${text}"`);
}

function socketMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new UsageError(`--socket-mode must be three octal digits like 0600, not "${text}"`);
}

function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null) throw new UsageError(`--metrics must be HOST:PORT, not "${text}"`);
  return {
    host: (match[1] ?? match[2]) as string,
    port: wholeNumber('--metrics port', match[3] as string, 0, 65535),
  };
}

/** @throws UsageError naming the flag and the numbers that it takes */
export function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${flag} must be a whole number from ${min} to ${max}, not "${text}"`);
}
