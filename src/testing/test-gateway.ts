import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pluginCatalog } from '../gateway/config/catalog.js';
import type { GatewayConfig } from '../gateway/config/entities.js';
import { parseDeclarativeConfig } from '../gateway/config/parse.js';
import { formatProblem } from '../gateway/config/problems.js';
import { createGateway } from '../gateway/gateway.js';
import type { Redirect } from '../gateway/http/upstream-client.js';
import type { LogLevel } from '../gateway/log.js';
import { createPluginCaller } from '../gateway/rpc/create-caller.js';
import type { ExchangeRecord, PluginRun, RecordedLogLine } from '../inspector/record.js';
import { Recorder } from '../inspector/recorder.js';
import type { PluginDefinition } from '../plugin/definition.js';
import type { Log } from '../server/log.js';
import { PluginServer } from '../server/server.js';
import { OwnSocket } from '../server/socket/own-socket.js';
import { setEnvironment } from './environment.js';
import { TestKitError } from './errors.js';
import { TestMessage } from './message.js';
import { Pending } from './pending.js';
import { type TestPlugins, testPlugins } from './plugins.js';
import { sendRequest, type TestRequestInit } from './request.js';
import { echo, startUpstream, type TestUpstreamHandler, TestUpstreamRequest } from './upstream.js';

/** A route of the declarative configuration, with the plugins on it. */
export type TestRoute = Readonly<Record<string, unknown>> & {
  readonly plugins?: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[];
};

export interface TestGatewayOptions {
  /** Modules by the plugin's name, or a directory of plugins. */
  readonly plugins: TestPlugins;
  /**
   * Kong's declarative configuration: an object, YAML text (of several lines) or the path of a file. Without it and
   * without `routes`, one route takes every request and has every plugin with its default configuration.
   */
  readonly config?: string | object;
  /** Instead of `config`: routes of one service, each with its plugins: `[{ paths: ['/a'], plugins: [{ name: 'x' }] }]`. */
  readonly routes?: readonly TestRoute[];
  /**
   * What plays every upstream: a function, or the `HOST:PORT` of a server. Default: it answers 200 with a JSON
   * description of the request. `configured`: requests go where the configuration says.
   */
  readonly upstream?: TestUpstreamHandler | string;
  /** Environment variables of this process while the gateway runs, for plugins that read them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default protobuf. Over msgpack the gateway fails open, as Kong does. */
  readonly protocol?: 'protobuf' | 'msgpack';
  /** The socket of a plugin server that runs already, in another process for instance, instead of one of its own. */
  readonly socket?: string;
  /** How long an event may take, in milliseconds. Default 10 s. */
  readonly eventDeadlineMs?: number;
}

/** What came of one request. */
export class TestExchange extends TestMessage {
  constructor(
    readonly status: number,
    readonly reason: string,
    headerLines: TestMessage['headerLines'],
    bytes: Buffer,
    /** What the upstream got; undefined where nothing was sent there. */
    readonly upstream: TestUpstreamRequest | undefined,
    /** Each plugin's phases in the order in which they ran, with every PDK call. */
    readonly events: readonly PluginRun[],
    /** The lines of Kong's error log about this request. */
    readonly log: readonly RecordedLogLine[],
    /** All of it. */
    readonly record: ExchangeRecord,
  ) {
    super(headerLines, bytes);
  }
}

/** A line of the gateway's or the plugin server's log. */
export interface TestLogLine {
  readonly level: LogLevel;
  readonly plugin: string | undefined;
  readonly text: string;
}

export interface TestGateway extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for clients of one's own. */
  readonly url: string;
  /** Every line so far, also those about no request. */
  readonly log: readonly TestLogLine[];
  /**
   * Sends a request and resolves once its log phase is over.
   *
   * @throws TestKitError `NO_RESPONSE` when the connection was cut
   */
  request(path: string, init?: TestRequestInit): Promise<TestExchange>;
  /** Puts another configuration in place, as a Kong without a database takes one over. @throws TestKitError */
  configure(config: string | object): Promise<void>;
  /** Takes everything down; instances of plugins are closed. What `await using` calls. */
  close(): Promise<void>;
}

/**
 * Starts the plugin server, on a real socket, and the local gateway in this process. It takes some tens of
 * milliseconds, works with any test runner and beside others of its kind, and leaves nothing behind once it is closed.
 *
 * ```ts
 * import * as hello from './index.js';
 *
 * await using gateway = await startTestGateway({ plugins: { hello } });
 * const { status, headers, upstream, events } = await gateway.request('/', { headers: { 'x-name': 'Jo' } });
 * ```
 *
 * @throws TestKitError `TEST_PLUGINS`, `TEST_CONFIG`, `TEST_OPTIONS` or `TEST_ENV`
 */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  if (options.config !== undefined && options.routes !== undefined) {
    throw new TestKitError('TEST_OPTIONS', 'give either config or routes');
  }
  const closers: (() => unknown)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= runClosers(closers);
    return closing;
  };
  try {
    return await bringUp(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function bringUp(
  options: TestGatewayOptions,
  closers: (() => unknown)[],
  close: () => Promise<void>,
): Promise<TestGateway> {
  closers.push(setEnvironment(options.env ?? {}));
  const plugins = await testPlugins(options.plugins);
  const source = options.config ?? routesConfig(plugins, options.routes);
  const config = await readConfig(source, plugins);

  const lines: TestLogLine[] = [];
  const pending = new Pending();
  const recorder = new Recorder({
    limitBytes: Number.POSITIVE_INFINITY,
    onEnd: (record) => pending.ended(record),
  });
  const socketPath =
    options.socket ??
    (await startServer(plugins, serverLog(lines, recorder), options.eventDeadlineMs, closers));
  const caller = createPluginCaller(options.protocol ?? 'protobuf', {
    socketPath,
    log: (level, text) => lines.push({ level, plugin: undefined, text }),
  });
  closers.push(() => caller.close());
  const gateway = await createGateway({
    config,
    plugins,
    caller,
    port: 0,
    log: (level, text, from) => lines.push({ level, plugin: from?.plugin, text: from?.message ?? text }),
    observe: recorder.observe,
    redirect: await redirectTo(options.upstream, closers),
  });
  closers.push(() => gateway.close());
  const { port } = await gateway.listen();
  closers.push(() => pending.close());

  return {
    url: `http://127.0.0.1:${port}`,
    log: lines,
    request: (path, init = {}) => exchange(port, path, init, pending),
    configure: async (next) => gateway.reload(await readConfig(next, plugins)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @returns the path of its socket */
async function startServer(
  plugins: PluginDefinition[],
  log: Log,
  eventDeadlineMs: number | undefined,
  closers: (() => unknown)[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kong-ts-test-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const server = new PluginServer({
    plugins,
    log,
    ...(eventDeadlineMs === undefined ? {} : { eventDeadlineMs }),
  });
  const socketPath = join(folder, 'plugins.sock');
  await server.listen(new OwnSocket(socketPath));
  closers.push(
    () => server.closeInstances(),
    () => server.close(),
  );
  return socketPath;
}

async function exchange(
  port: number,
  path: string,
  init: TestRequestInit,
  pending: Pending,
): Promise<TestExchange> {
  let record: Promise<ExchangeRecord> | undefined;
  const response = await sendRequest(port, path, init, (localPort) => {
    record = pending.recordOf(localPort);
    // Where no response comes, nobody waits for the record.
    record.catch(() => undefined);
  });
  const seen = await (record as Promise<ExchangeRecord> | undefined);
  if (seen === undefined) throw new TestKitError('NO_RESPONSE', 'the request never left');
  const sent = seen.upstreamRequest;
  const headerLines = response.rawHeaders.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name, response.rawHeaders[index + 1] ?? '']] : [],
  );
  return new TestExchange(
    response.status,
    response.reason,
    headerLines,
    response.body,
    sent && new TestUpstreamRequest(sent.method, sent.target, sent.headers, sent.body.content),
    seen.runs,
    seen.log,
    seen,
  );
}

/** A configuration with one service, for the routes that a test wants. */
function routesConfig(
  plugins: readonly PluginDefinition[],
  routes: readonly TestRoute[] = [
    { name: 'all', paths: ['/'], plugins: plugins.map(({ name }) => ({ name })) },
  ],
): object {
  return {
    _format_version: '3.0',
    services: [{ name: 'upstream', url: 'http://upstream', routes }],
  };
}

async function readConfig(
  source: string | object,
  plugins: readonly PluginDefinition[],
): Promise<GatewayConfig> {
  const isFile = typeof source === 'string' && !source.includes('\n');
  const file = isFile ? source : 'config';
  let text: string;
  if (isFile) {
    text = await readFile(source, 'utf8').catch((cause: Error) => {
      throw new TestKitError('TEST_CONFIG', `cannot read ${source}: ${cause.message}`, { cause });
    });
  } else {
    text = typeof source === 'string' ? source : JSON.stringify(source, undefined, 2);
  }
  const { config, problems } = parseDeclarativeConfig(text, file, pluginCatalog(plugins));
  if (problems.length > 0) {
    throw new TestKitError('TEST_CONFIG', problems.map(formatProblem).join('\n'));
  }
  return config;
}

async function redirectTo(
  upstream: TestGatewayOptions['upstream'],
  closers: (() => unknown)[],
): Promise<Redirect | undefined> {
  if (upstream === 'configured') return undefined;
  if (typeof upstream === 'string') {
    const { hostname, port } = new URL(upstream.includes('://') ? upstream : `http://${upstream}`);
    const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
    return () => address;
  }
  const server = await startUpstream(upstream ?? echo);
  closers.push(() => server.close());
  const address = { host: '127.0.0.1', port: server.port };
  return () => address;
}

/** What a plugin server says of itself, as far as a test cares. */
function serverLog(lines: TestLogLine[], recorder: Recorder): Log {
  const at = (level: LogLevel) => (text: string) => {
    if (level === 'error') recorder.serverLogged(text);
    lines.push({ level, plugin: undefined, text });
  };
  const nothing = () => undefined;
  return {
    error: at('error'),
    warn: at('warn'),
    notice: at('notice'),
    info: nothing,
    debug: nothing,
    enabled: (level) => level !== 'info' && level !== 'debug',
  };
}

/** Last things first. What fails does not keep the others from being taken down; the first failure is thrown. */
async function runClosers(closers: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
