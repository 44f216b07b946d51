import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { PluginServerError } from '../errors.js';
import { type CatalogedPlugin, pluginCatalog } from '../gateway/config/catalog.js';
import type { GatewayConfig } from '../gateway/config/entities.js';
import { DeclarativeConfigError, parseDeclarativeConfig } from '../gateway/config/parse.js';
import { type EchoUpstream, startEchoUpstream } from '../gateway/echo-upstream.js';
import { createGateway, type Gateway } from '../gateway/gateway.js';
import type { GatewayLog } from '../gateway/log.js';
import type { PluginCaller } from '../gateway/plugin-port.js';
import { createPluginCaller } from '../gateway/rpc/create-caller.js';
import { DevStoppedError } from './errors.js';
import type { DevOptions, HostAndPort } from './flags.js';
import { GuardedFolder } from './guarded-folder.js';
import { gatewayLog } from './log.js';
import { packageFile } from './package-files.js';
import { PluginServerProcess } from './plugin-server.js';
import { Postgres } from './postgres.js';
import { withUpstreamAt } from './service-hosts.js';
import { watchFile, watchFolder } from './watch.js';

const HOST = '127.0.0.1';

/** What is up, once it is. */
export interface DevAddresses {
  readonly gatewayUrl: string;
  readonly postgresUrl: string;
  readonly upstream: HostAndPort;
  readonly plugins: readonly string[];
}

/**
 * Everything that `dev` runs: PostgreSQL, the plugin server, the echo upstream and the gateway. What `start` brought
 * up, however far it came, `stop` takes down, last things first.
 */
export class DevSession {
  private readonly closers: (() => unknown)[] = [];
  private readonly log: GatewayLog;
  private stopping: Promise<void> | undefined;
  private starting: Promise<DevAddresses> | undefined;
  private postgres: Postgres | undefined;
  private gateway: Gateway | undefined;
  private plugins: CatalogedPlugin[] = [];
  private port = 0;

  /** @param say prints a line about what happens while it runs */
  constructor(
    private readonly options: DevOptions,
    private readonly say: (line: string) => void,
  ) {
    this.log = gatewayLog(options.verbose ? 'info' : 'notice');
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

  /** Stops PostgreSQL, or starts it again: to see what requests get without it. */
  async togglePostgres(): Promise<void> {
    if (!this.postgres || this.stopping) return;
    if (this.postgres.running) {
      await this.postgres.stop();
      this.say(`PostgreSQL is stopped; "kill -USR2 ${process.pid}" starts it again`);
    } else {
      await this.postgres.start();
      this.say('PostgreSQL is running again');
    }
  }

  private async bringUp(): Promise<DevAddresses> {
    const { options } = this;
    const configText = await readConfigFile(options.configFile);
    await assertPortIsFree(options.port);
    const folder = await GuardedFolder.create();
    this.closers.push(() => folder.remove());
    const server = { current: undefined as PluginServerProcess | undefined };
    const socketPath = join(folder.path, 'plugins.sock');
    const serverOptions = {
      socketPath,
      pluginsDirectory: options.pluginsDirectory,
      log: (line: string) => this.say(`[plugin server] ${line}`),
      onProcesses: (pids: number[]) => folder.protect(pids),
    };
    const [postgres, plugins, echo] = await allSettled([
      this.startPostgres(folder),
      new PluginServerProcess({ ...serverOptions, env: {} }).queryPlugins(),
      this.startUpstream(),
    ]);
    this.checkpoint();
    this.plugins = plugins;
    const upstream = options.upstream ?? { host: HOST, port: echo?.port ?? 0 };
    const config = await this.parseConfig(configText, upstream);

    server.current = new PluginServerProcess({ ...serverOptions, env: postgres.env });
    this.closers.push(() => server.current?.stop());
    await server.current.start();
    this.checkpoint();

    const caller = createPluginCaller(options.protocol, {
      socketPath,
      log: (level, text) => this.log(level, text),
    });
    this.closers.push(() => caller.close());
    this.closers.push(() => this.gateway?.close());
    await this.openGateway(config, caller, options.port);
    this.checkpoint();
    this.watch(server.current, caller, upstream);
    return {
      gatewayUrl: `http://${HOST}:${this.port}`,
      postgresUrl: postgres.url,
      upstream,
      plugins: plugins.map(({ name }) => name),
    };
  }

  private async takeDown(): Promise<void> {
    // What is half up now registers its closer first; the start then ends at its next checkpoint.
    await this.starting?.catch(() => undefined);
    for (const close of this.closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.say(`while stopping: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  private checkpoint(): void {
    if (this.stopping) throw new DevStoppedError();
  }

  private async startPostgres(folder: GuardedFolder): Promise<Postgres> {
    const postgres = await Postgres.create({
      folder,
      sqlFiles: [packageFile('db/schema.sql'), packageFile('db/demo.sql')],
      onUnexpectedExit: (reason) => {
        this.say(`PostgreSQL has ended (${reason}); "kill -USR2 ${process.pid}" starts it again`);
      },
    });
    this.postgres = postgres;
    this.closers.push(() => postgres.dispose());
    return postgres;
  }

  private async startUpstream(): Promise<EchoUpstream | undefined> {
    if (this.options.upstream) return undefined;
    const echo = await startEchoUpstream();
    this.closers.push(() => echo.close());
    return echo;
  }

  /** @throws DeclarativeConfigError with every fault, also of the functions in it */
  private async parseConfig(text: string, upstream: HostAndPort): Promise<GatewayConfig> {
    const { configFile } = this.options;
    const { config, problems } = parseDeclarativeConfig(text, configFile, pluginCatalog(this.plugins));
    // The compiler takes a while to load, and most configurations have no functions for it.
    const faults = /js-(pre|post|response)-function/.test(text)
      ? (await import('../../plugins/js-functions/compile/check-yaml.js')).functionProblems(text, configFile)
      : [];
    if (problems.length + faults.length > 0) throw new DeclarativeConfigError([...problems, ...faults]);
    return withUpstreamAt(config, upstream);
  }

  private async openGateway(config: GatewayConfig, caller: PluginCaller, port: number): Promise<void> {
    const { plugins, log } = this;
    this.gateway = await createGateway({ config, plugins, caller, log, port, host: HOST });
    try {
      this.port = (await this.gateway.listen()).port;
    } catch (error) {
      throw portError(error, port);
    }
  }

  private watch(server: PluginServerProcess, caller: PluginCaller, upstream: HostAndPort): void {
    const { configFile, pluginsDirectory } = this.options;
    let last = Promise.resolve();
    const inTurn = (what: string, change: () => Promise<void>) => () => {
      last = last.then(change).catch((error: unknown) => {
        if (!this.stopping)
          this.say(`${what} has changed, but: ${error instanceof Error ? error.message : error}`);
      });
    };
    const reloadConfig = async () => {
      await this.gateway?.reload(await this.parseConfig(await readConfigFile(configFile), upstream));
      this.say(`${configFile} has changed: read again`);
    };
    const reloadPlugins = async () => {
      const before = JSON.stringify(this.plugins);
      const [plugins] = await allSettled([server.queryPlugins(), server.restart()]);
      this.plugins = plugins;
      this.say('the plugins have changed: the plugin server was started anew');
      if (JSON.stringify(this.plugins) === before) return;
      // Their phases, priorities or schemas: the gateway takes those in when it is created.
      const config = await this.parseConfig(await readConfigFile(configFile), upstream);
      await this.gateway?.close();
      await this.openGateway(config, caller, this.port);
    };
    const plugins = resolve(pluginsDirectory ?? packageFile('plugins'));
    // Closers run last things first: no more changes, then the end of the one under way.
    this.closers.push(() => last);
    this.closers.push(watchFile(resolve(configFile), inTurn(configFile, reloadConfig)));
    this.closers.push(watchFolder(plugins, inTurn(plugins, reloadPlugins)));
  }
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
