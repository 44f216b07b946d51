import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, relative, resolve } from 'node:path';
import type { HostAndPort } from '../command-line/values.js';
import { PluginServerError } from '../errors.js';
import { type CatalogedPlugin, pluginCatalog } from '../gateway/config/catalog.js';
import type { GatewayConfig } from '../gateway/config/entities.js';
import { DeclarativeConfigError, parseDeclarativeConfig } from '../gateway/config/parse.js';
import { formatProblem, type Problem } from '../gateway/config/problems.js';
import { type EchoUpstream, startEchoUpstream } from '../gateway/echo-upstream.js';
import { createGateway, type Gateway } from '../gateway/gateway.js';
import type { PluginCaller } from '../gateway/plugin-port.js';
import { createPluginCaller } from '../gateway/rpc/create-caller.js';
import { Recorder } from '../inspector/recorder.js';
import { addSecretNames, secretNamesOf } from '../inspector/secret-names.js';
import type { Inspector } from '../inspector/server.js';
import { type DevDatabase, startEmbedded, useDatabase } from './database.js';
import { DevStoppedError } from './errors.js';
import type { DevOptions } from './flags.js';
import { GuardedFolder } from './guarded-folder.js';
import { DevOutput } from './output.js';
import { packageFile } from './package-files.js';
import { PluginServerProcess } from './plugin-server.js';
import { asksForDatabase, pluginSources } from './plugin-sources.js';
import type { Style } from './terminal.js';
import { describeChanges, type FileChange, SourceWatcher } from './watch.js';

const HOST = '127.0.0.1';
/** The service host that containers reach by this name, and whose requests `dev` takes to another address. */
const UPSTREAM_HOST = 'upstream';
/** Kong waits 60 s for a plugin server; a debugger may hold a handler for as long as its user likes. */
const DEBUGGED_TIMEOUT_MS = 2 ** 31 - 1;
/** The plugin whose customers the demo data are. */
const VERIFICATION = 'customer-verification';

/** What is up, once it is. */
export interface DevAddresses {
  readonly gatewayUrl: string;
  /** Undefined: there is no database. Without its password where it is not this process's own. */
  readonly databaseUrl: string | undefined;
  /** Whether it is this process's own. */
  readonly databaseIsEmbedded: boolean;
  /** Where requests for the service host `upstream` go; undefined: no service has it. */
  readonly upstream: HostAndPort | undefined;
  /** The plugins that the configuration uses and the plugin server has. */
  readonly plugins: readonly string[];
  /** The first path of the first route that has one without a regular expression. */
  readonly examplePath: string;
  /** Whether requests have to be signed by the demo customer. */
  readonly isSigned: boolean;
  readonly inspect: string | undefined;
  readonly inspectorUrl: string | undefined;
}

/**
 * Everything that `dev` runs: the database, the plugin server, the echo upstream and the gateway. What `start` brought
 * up, however far it came, `stop` takes down, last things first.
 */
export class DevSession {
  /** Tells of every request; for whoever wants to show them. */
  readonly recorder = new Recorder();
  private readonly closers: (() => unknown)[] = [];
  private readonly output: DevOutput;
  private readonly pluginsDirectory: string;
  private stopping: Promise<void> | undefined;
  private starting: Promise<DevAddresses> | undefined;
  private folder: GuardedFolder | undefined;
  private database: DevDatabase | undefined;
  private server: PluginServerProcess | undefined;
  private caller: PluginCaller | undefined;
  private gateway: Gateway | undefined;
  private plugins: CatalogedPlugin[] = [];
  private upstream: HostAndPort = { host: HOST, port: 0 };
  private port = 0;
  private config: GatewayConfig | undefined;
  private inspector: Inspector | undefined;
  /** Changes are taken in one after the other. */
  private lastChange = Promise.resolve();

  /** @param say prints a line about what happens while it runs */
  constructor(
    private readonly options: DevOptions,
    private readonly say: (line: string) => void,
    style: Style,
  ) {
    this.output = new DevOutput(this.recorder, { verbosity: options.verbosity, style, write: say });
    this.pluginsDirectory = resolve(options.pluginsDirectory ?? packageFile('plugins'));
  }

  /**
   * Brings everything up.
   *
   * @throws PluginServerError what failed; {@link stop} still has to be called
   * @throws DevStoppedError when {@link stop} was called meanwhile
   */
  start(): Promise<DevAddresses> {
    this.starting ??= this.bringUp();
    return this.starting;
  }

  /** Takes everything down and returns when no process, socket or folder is left. */
  stop(): Promise<void> {
    this.stopping ??= this.takeDown();
    return this.stopping;
  }

  /** Stops the embedded PostgreSQL, or starts it again: to see what requests get without it. */
  async togglePostgres(): Promise<void> {
    const postgres = this.database?.embedded;
    if (!postgres || this.stopping) return;
    if (postgres.running) {
      await postgres.stop();
      this.say(`PostgreSQL is stopped; "kill -USR2 ${process.pid}" starts it again`);
    } else {
      await postgres.start();
      this.say('PostgreSQL is running again');
    }
  }

  private async bringUp(): Promise<DevAddresses> {
    const { options } = this;
    const configText = await readConfigFile(options.configFile);
    await assertPortIsFree(options.port);
    const folder = await GuardedFolder.create();
    this.folder = folder;
    this.closers.push(() => folder.remove());
    const socketPath = join(folder.path, 'plugins.sock');
    const serverOptions = {
      socketPath,
      pluginsDirectory: options.pluginsDirectory,
      compat: options.compat,
      log: this.output.serverLine,
      onProcesses: (pids: number[]) => folder.protect(pids),
      inspect: options.inspect,
      metrics: options.inspector !== undefined,
      inheritEnv: options.inheritEnv,
      envFile: options.envFile,
    };
    const asked = new PluginServerProcess({ ...serverOptions, env: {} });
    const [, plugins, faults, echo] = await allSettled([
      this.provideDatabase(configText),
      asked.queryPlugins(),
      asked.checkConfig(options.configFile, options.ignoreUnknown),
      this.startUpstream(),
    ]);
    this.checkpoint();
    this.plugins = plugins;
    this.upstream = options.upstream ?? { host: HOST, port: echo?.port ?? 0 };
    const config = this.parseConfig(configText, faults);

    const server = new PluginServerProcess({ ...serverOptions, env: this.database?.env ?? {} });
    this.server = server;
    this.closers.push(() => server.stop());
    await server.start();
    this.checkpoint();

    const caller = createPluginCaller(options.protocol, {
      socketPath,
      // A failed event is told with its request.
      log: (_level, text) => this.output.log('info', text),
      ...(options.inspect === undefined ? {} : { readTimeoutMs: DEBUGGED_TIMEOUT_MS }),
    });
    this.caller = caller;
    this.closers.push(() => caller.close());
    this.closers.push(() => this.output.close());
    this.closers.push(() => this.gateway?.close());
    await this.openGateway(config, options.port);
    this.checkpoint();
    await this.openInspector();
    this.checkpoint();
    this.watch();
    return this.addresses(config);
  }

  private addresses(config: GatewayConfig): DevAddresses {
    const used = new Set(config.plugins.filter(({ enabled }) => enabled).map(({ name }) => name));
    const paths = config.routes.flatMap((route) => route.paths ?? []);
    return {
      gatewayUrl: `http://${HOST}:${this.port}`,
      databaseUrl: this.database && shownUrl(this.database),
      databaseIsEmbedded: this.database?.embedded !== undefined,
      upstream: config.services.some(({ host }) => host === UPSTREAM_HOST) ? this.upstream : undefined,
      plugins: this.plugins.map(({ name }) => name).filter((name) => used.has(name)),
      examplePath: paths.find((path) => !path.startsWith('~')) ?? '/',
      isSigned: used.has(VERIFICATION) && this.database?.embedded !== undefined,
      inspect: this.options.inspect,
      inspectorUrl: this.inspector?.url,
    };
  }

  private async takeDown(): Promise<void> {
    // What is half up now registers its closer first; the start then ends at its next checkpoint.
    await this.starting?.catch(() => undefined);
    for (const close of this.closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.say(`while stopping: ${messageOf(error)}`);
      }
    }
  }

  private checkpoint(): void {
    if (this.stopping) throw new DevStoppedError();
  }

  /** @returns whether there is a database now that was not there before */
  private async provideDatabase(configText: string): Promise<boolean> {
    const { options, folder } = this;
    const { database: wanted, seeds } = options;
    if (this.database !== undefined || wanted === 'none' || folder === undefined) return false;
    if (wanted !== 'auto') {
      this.database = await useDatabase(wanted.url, seeds);
      return true;
    }
    if (seeds.length === 0 && !asksForDatabase(this.pluginsDirectory, configText)) return false;
    const demo = configText.includes(VERIFICATION)
      ? [packageFile('db/schema.sql'), packageFile('db/demo.sql')]
      : [];
    const database = await startEmbedded(folder, [...demo, ...seeds], (reason) => {
      this.say(`PostgreSQL has ended (${reason}); "kill -USR2 ${process.pid}" starts it again`);
    });
    this.database = database;
    this.closers.push(() => database.close());
    return true;
  }

  private async startUpstream(): Promise<EchoUpstream | undefined> {
    if (this.options.upstream) return undefined;
    const echo = await startEchoUpstream();
    this.closers.push(() => echo.close());
    return echo;
  }

  /**
   * @param faults what the plugins themselves say of it
   * @throws DeclarativeConfigError with every fault
   */
  private parseConfig(text: string, faults: readonly Problem[]): GatewayConfig {
    const { configFile, ignoreUnknown, strict } = this.options;
    const catalog = pluginCatalog(this.plugins);
    const parsed = parseDeclarativeConfig(text, configFile, catalog, { ignoreUnknown });
    const refused = strict ? [...parsed.problems, ...parsed.notes] : parsed.problems;
    if (refused.length > 0) throw new DeclarativeConfigError(refused);
    if (faults.length > 0) throw new DeclarativeConfigError(faults);
    for (const note of parsed.notes) this.say(`${formatProblem(note)} (note)`);
    return parsed.config;
  }

  private async checkConfig(): Promise<readonly Problem[]> {
    return (await this.server?.checkConfig(this.options.configFile, this.options.ignoreUnknown)) ?? [];
  }

  private async openGateway(config: GatewayConfig, port: number): Promise<void> {
    if (this.caller === undefined) return;
    this.useConfig(config);
    this.gateway = await createGateway({
      config,
      plugins: this.plugins,
      caller: this.caller,
      log: this.output.log,
      port,
      host: HOST,
      observe: this.recorder.observe,
      redirect: ({ host }) => (host === UPSTREAM_HOST ? this.upstream : undefined),
    });
    try {
      this.port = (await this.gateway.listen()).port;
    } catch (error) {
      throw portError(error, port);
    }
  }

  private async openInspector(): Promise<void> {
    const { inspector: port } = this.options;
    if (port === undefined) return;
    const { startInspector } = await import('../inspector/server.js');
    try {
      const inspector = await startInspector({
        recorder: this.recorder,
        port,
        inspected: () => ({
          gatewayPort: this.port,
          config: this.config as GatewayConfig,
          plugins: this.plugins,
          pluginsDirectory: shortPath(this.pluginsDirectory),
          variables: Object.keys(this.database?.env ?? {}),
        }),
        metrics: async () => this.server?.metrics(),
      });
      this.inspector = inspector;
      this.closers.push(() => inspector.close());
    } catch (error) {
      // Another `dev` may have it. The page is a help, and no reason not to start.
      this.say(`${messageOf(error)}: there is no page; --inspector PORT takes another port`);
    }
  }

  /** What is from now on the configuration. */
  private useConfig(config: GatewayConfig): void {
    this.config = config;
    const configs = config.plugins.map((plugin) => plugin.config);
    addSecretNames(secretNamesOf(this.plugins, configs));
  }

  private watch(): void {
    const configFile = resolve(this.options.configFile);
    const config = new SourceWatcher({ files: [configFile] }, (changes) =>
      this.inTurn(changes, () => this.reloadConfig()),
    );
    const sources = new SourceWatcher(pluginSources(this.pluginsDirectory), (changes) => {
      const relevant = changes.filter(({ path }) => path !== configFile && !isTest(path));
      // What they import may have become more.
      sources.retarget(pluginSources(this.pluginsDirectory));
      if (relevant.length > 0) this.inTurn(relevant, () => this.reloadPlugins(relevant));
    });
    // Closers run last things first: no more changes, then the end of the one under way.
    this.closers.push(() => this.lastChange);
    this.closers.push(() => config.close());
    this.closers.push(() => sources.close());
  }

  private inTurn(changes: readonly FileChange[], take: () => Promise<void>): void {
    this.lastChange = this.lastChange.then(take).catch((error: unknown) => {
      if (this.stopping) return;
      const goesOn = 'what was there before goes on';
      this.say(
        `${describeChanges(changes, shortPath)} has changed, but: ${messageOf(error).trimEnd()}; ${goesOn}`,
      );
    });
  }

  private async reloadConfig(): Promise<void> {
    const { configFile } = this.options;
    const text = await readConfigFile(configFile);
    const config = this.parseConfig(text, await this.checkConfig());
    if (await this.provideDatabase(text)) await this.server?.restart(this.database?.env);
    await this.gateway?.reload(config);
    this.useConfig(config);
    this.say(`${configFile} has changed: read again`);
  }

  private async reloadPlugins(changes: readonly FileChange[]): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    const text = await readConfigFile(this.options.configFile);
    await this.provideDatabase(text);
    const before = JSON.stringify(this.plugins);
    // Asked first: where the sources are faulty, the server that runs goes on.
    const plugins = await server.queryPlugins();
    await server.restart(this.database?.env);
    this.plugins = plugins;
    const names = describeChanges(changes, shortPath);
    this.say(`the plugins have changed: the plugin server was started anew (${names})`);
    if (JSON.stringify(plugins) === before) return;
    // Their phases, priorities or schemas: the gateway takes those in when it is created.
    const config = this.parseConfig(text, await this.checkConfig());
    await this.gateway?.close();
    await this.openGateway(config, this.port);
  }
}

function shownUrl({ url, embedded }: DevDatabase): string {
  if (embedded !== undefined) return url;
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.href;
}

/** A path as one would type it here. */
function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

function isTest(path: string): boolean {
  return /\.(test|spec)\.[mc]?[jt]sx?$/.test(path);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As Promise.all, but waits for all of them, so that nothing goes on in the background when one fails. */
async function allSettled<T extends readonly Promise<unknown>[]>(
  promises: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises) as Promise<{ [K in keyof T]: Awaited<T[K]> }>;
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const path = resolve(file);
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new PluginServerError('CONFIG_UNREADABLE', `cannot read the configuration ${path}: ${reason}`, {
      cause,
    });
  }
}

/** Found out first, since everything else takes seconds. */
async function assertPortIsFree(port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  try {
    await new Promise<void>((done, reject) => {
      probe.once('error', reject);
      probe.listen(port, HOST, done);
    });
  } catch (error) {
    throw portError(error, port);
  } finally {
    probe.close();
  }
}

function portError(error: unknown, port: number): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    return new PluginServerError(
      'PORT_IN_USE',
      `port ${port} is in use: choose another with --port, or --port 0 for any free one`,
      { cause: error },
    );
  }
  return new PluginServerError('LISTEN_FAILED', `cannot listen on port ${port}: ${message}`, {
    cause: error,
  });
}
