import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PluginServerError } from '../errors.js';
import type { CatalogedPlugin } from '../gateway/config/catalog.js';
import type { Problem } from '../gateway/config/problems.js';
import type { PluginInfo } from '../plugin/dump.js';

/** Kong starts an exited server again at once, or a second after the last start. */
const RESTART_INTERVAL_MS = 1000;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 2000;
const METRICS_LINE = /\[notice\] metrics at (http:\S+)$/;

export interface PluginServerOptions {
  readonly socketPath: string;
  readonly pluginsDirectory: string | undefined;
  readonly compat?: 'stock' | undefined;
  /** The variables that it has beside those of its environment file. */
  readonly env: Record<string, string>;
  /** Whether it gets all of our own environment, which it would not have under Kong. */
  readonly inheritEnv?: boolean;
  /** The server's `--env-file`. */
  readonly envFile?: string | undefined;
  /** HOST:PORT at which a debugger may attach to the server. */
  readonly inspect?: string | undefined;
  /** Whether it serves metrics, on a free port of this machine's loopback. */
  readonly metrics?: boolean;
  /** Each line the server writes, and what happens to its process. */
  readonly log: (line: string) => void;
  /** Told the ids of the processes that run. */
  readonly onProcesses: (pids: number[]) => void;
}

/** The plugin server as a child process, kept alive the way Kong keeps its plugin servers alive. */
export class PluginServerProcess {
  private child: ChildProcess | undefined;
  private startedAt = 0;
  private env: Record<string, string>;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private metricsUrl: string | undefined;

  constructor(private readonly options: PluginServerOptions) {
    this.env = options.env;
  }

  /**
   * Asks for the plugins' names, schemas, phases and priorities, as Kong's `query_cmd` does.
   *
   * @throws PluginServerError `NO_PLUGINS` with what the command wrote to its standard error
   */
  async queryPlugins(): Promise<CatalogedPlugin[]> {
    const child = this.spawn(['--dump-all-plugins']);
    let output = '';
    let errors = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    const [code] = await once(child, 'close');
    try {
      const plugins = (JSON.parse(output) as { Plugins: PluginInfo[] }).Plugins.map(catalogEntry);
      for (const line of errors.split('\n')) if (line) this.options.log(line);
      return plugins;
    } catch (cause) {
      const reason = errors.trim() || `exit code ${code}`;
      throw new PluginServerError('NO_PLUGINS', `the plugins cannot be loaded: ${reason}`, { cause });
    }
  }

  /**
   * What is wrong with a declarative config, the plugins' own `validate` included. A process of its own loads the
   * plugins as their sources are now.
   */
  async checkConfig(file: string, ignoreUnknown: boolean): Promise<readonly Problem[]> {
    const { pluginsDirectory } = this.options;
    const directory = pluginsDirectory === undefined ? [] : ['--plugins-directory', pluginsDirectory];
    const unknown = ignoreUnknown ? ['--ignore-unknown'] : [];
    const child = this.spawnCli(['check', '--json', ...unknown, ...directory, file]);
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.resume();
    const [code] = await once(child, 'close');
    try {
      return (JSON.parse(output) as { problems: Problem[] }).problems;
    } catch (cause) {
      throw new PluginServerError('CHECK_FAILED', `${file} cannot be checked: exit code ${code}`, { cause });
    }
  }

  /**
   * Starts the server and waits until it accepts connections.
   *
   * @throws PluginServerError `PLUGIN_SERVER_FAILED`
   */
  async start(): Promise<void> {
    const accepting = this.launch();
    if (accepting !== undefined) await accepting;
  }

  /**
   * Puts a new process in the place of the one that runs, for changed sources: it takes the socket over before the old
   * one ends. Where it does not start, the old one goes on. With a debugger, whose port only one can have, the old one
   * ends first.
   *
   * @param env instead of the variables there were
   * @throws PluginServerError as {@link start}
   */
  async restart(env?: Record<string, string>): Promise<void> {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.env = env ?? this.env;
    const before = this.child;
    // Its end is wanted: nothing is said about it, and nothing starts it again.
    this.child = undefined;
    if (before && this.options.inspect !== undefined) await end(before);
    try {
      await this.start();
    } catch (error) {
      if (before && before.exitCode === null && before.signalCode === null) {
        const failed = this.current();
        this.child = before;
        clearTimeout(this.timer);
        if (failed) await end(failed);
        this.tellProcesses();
      }
      throw error;
    }
    if (before) await end(before);
    this.tellProcesses();
  }

  private current(): ChildProcess | undefined {
    return this.child;
  }

  private tellProcesses(): void {
    const pid = this.child?.pid;
    this.options.onProcesses(pid === undefined ? [] : [pid]);
  }

  /** The server's metrics in Prometheus's text format; undefined: there are none, or it is being started anew. */
  async metrics(): Promise<string | undefined> {
    if (this.metricsUrl === undefined) return undefined;
    try {
      return await (await fetch(this.metricsUrl)).text();
    } catch {
      // It has just ended: the next one says where its metrics are.
      return undefined;
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    if (this.child) await end(this.child);
  }

  /** Resolves when it accepts connections, which it says in a line of its log. */
  private launch(): Promise<void> | undefined {
    if (this.stopped) return undefined;
    this.startedAt = Date.now();
    const { inspect, metrics, socketPath, log } = this.options;
    const child = this.spawn(
      ['--socket', socketPath, '--linger', '0', ...(metrics ? ['--metrics', '127.0.0.1:0'] : [])],
      inspect === undefined ? [] : [`--inspect=${inspect}`],
    );
    const others = this.child?.pid;
    this.child = child;
    const pids = [others, child.pid].filter((pid) => pid !== undefined);
    if (pids.length > 0) this.options.onProcesses(pids);
    return new Promise<void>((resolve, reject) => {
      const failed = () =>
        reject(
          new PluginServerError(
            'PLUGIN_SERVER_FAILED',
            'the plugin server did not start; see its lines above',
          ),
        );
      const timer = setTimeout(failed, START_TIMEOUT_MS);
      const started = () => {
        clearTimeout(timer);
        resolve();
      };
      for (const stream of [child.stdout, child.stderr]) {
        if (stream === null) continue;
        createInterface({ input: stream }).on('line', (line) => {
          if (line.includes(`server started at path ${socketPath}`)) started();
          const [, metricsUrl] = METRICS_LINE.exec(line) ?? [];
          if (metricsUrl === undefined) log(line);
          else this.metricsUrl = metricsUrl;
        });
      }
      child.once('error', (error) => log(`cannot be started: ${error.message}`));
      child.once('close', (code, signal) => {
        this.onExit(child, signal ?? `exit code ${code}`);
        clearTimeout(timer);
        if (this.stopped) resolve();
        else failed();
      });
    });
  }

  private onExit(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.options.onProcesses([]);
    if (this.stopped) return;
    this.options.log(`ended (${how}); starting it again`);
    const delay = Math.max(0, this.startedAt + RESTART_INTERVAL_MS - Date.now());
    this.timer = setTimeout(() => {
      // What it says when it does not start has been printed; its end starts it again.
      this.launch()?.catch(() => undefined);
    }, delay);
  }

  /** Detached, so that a Ctrl-C in the terminal reaches us alone and we stop things in order. */
  private spawn(args: string[], nodeFlags: string[] = []): ChildProcess {
    const { pluginsDirectory, compat, envFile } = this.options;
    const directory = pluginsDirectory === undefined ? [] : ['--plugins-directory', pluginsDirectory];
    const environment = envFile === undefined ? [] : [`--env-file=${envFile}`];
    const compatibility = compat === undefined ? [] : ['--compat', compat];
    return this.spawnCli(['serve', ...directory, ...compatibility, ...environment, ...args], nodeFlags);
  }

  private spawnCli(args: string[], nodeFlags: string[] = []): ChildProcess {
    // A debugger of our own is not the server's, too.
    const inherited = process.execArgv.filter((flag) => !flag.startsWith('--inspect'));
    return spawn(process.execPath, [...inherited, ...nodeFlags, CLI, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...(this.options.inheritEnv ? process.env : systemEnvironment()), ...this.env },
    });
  }
}

/** Our own command line: TypeScript beside the sources, JavaScript in a build. */
const CLI = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));

/** What a process needs on this machine to run at all; no setting of a plugin. */
function systemEnvironment(): NodeJS.ProcessEnv {
  const names = /^(PATH|HOME|TMPDIR|TZ|LANG|LC_.*|NODE_.*|SystemRoot|TEMP|TMP)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

function catalogEntry({ Name, Priority, Phases, Schema }: PluginInfo): CatalogedPlugin {
  const { fields, entity_checks } = Schema.fields[0].config;
  return {
    name: Name,
    priority: Priority,
    phases: Phases,
    schema: fields,
    ...(entity_checks ? { entityChecks: entity_checks } : {}),
    noConsumer: Schema.fields.length > 1,
  };
}
