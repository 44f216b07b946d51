import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PluginServerError } from '../errors.js';
import type { CatalogedPlugin } from '../gateway/config/catalog.js';
import type { PluginInfo } from '../plugin/dump.js';

/** Kong starts an exited server again at once, or a second after the last start. */
const RESTART_INTERVAL_MS = 1000;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 2000;

export interface PluginServerOptions {
  readonly socketPath: string;
  readonly pluginsDirectory: string | undefined;
  /** Added to our own environment. */
  readonly env: Record<string, string>;
  /** Each line the server writes, and what happens to its process. */
  readonly log: (line: string) => void;
  /** Told the ids of the processes that run. */
  readonly onProcesses: (pids: number[]) => void;
}

/** The plugin server as a child process, kept alive the way Kong keeps its plugin servers alive. */
export class PluginServerProcess {
  private child: ChildProcess | undefined;
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly options: PluginServerOptions) {}

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
    for (const line of errors.split('\n')) if (line) this.options.log(line);
    try {
      return (JSON.parse(output) as { Plugins: PluginInfo[] }).Plugins.map(catalogEntry);
    } catch (cause) {
      const reason = errors.trim() || `exit code ${code}`;
      throw new PluginServerError('NO_PLUGINS', `the plugins cannot be loaded: ${reason}`, { cause });
    }
  }

  /**
   * Starts the server and waits until it accepts connections.
   *
   * @throws PluginServerError `PLUGIN_SERVER_FAILED`
   */
  async start(): Promise<void> {
    this.launch();
    await this.accepting();
  }

  /** Ends the process and starts a new one, for changed sources. Returns and throws as {@link start}. */
  async restart(): Promise<void> {
    if (this.stopped) return;
    clearTimeout(this.timer);
    const child = this.child;
    // Its end is wanted: nothing is said about it, and nothing waits.
    this.child = undefined;
    if (child) await end(child);
    await this.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    if (this.child) await end(this.child);
  }

  private launch(): void {
    if (this.stopped) return;
    this.startedAt = Date.now();
    const child = this.spawn(['--socket', this.options.socketPath]);
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', this.options.log);
    }
    child.once('error', (error) => this.options.log(`cannot be started: ${error.message}`));
    if (child.pid) this.options.onProcesses([child.pid]);
    child.once('exit', (code, signal) => this.onExit(child, signal ?? `exit code ${code}`));
  }

  private onExit(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.options.onProcesses([]);
    if (this.stopped) return;
    this.options.log(`ended (${how}); starting it again`);
    const delay = Math.max(0, this.startedAt + RESTART_INTERVAL_MS - Date.now());
    this.timer = setTimeout(() => this.launch(), delay);
  }

  private async accepting(): Promise<void> {
    const child = this.child;
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.accepts())) {
      if (this.stopped) return;
      if (child !== this.child || Date.now() > deadline) {
        throw new PluginServerError(
          'PLUGIN_SERVER_FAILED',
          'the plugin server did not start; see its lines above',
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Detached, so that a Ctrl-C in the terminal reaches us alone and we stop things in order. */
  private spawn(args: string[]): ChildProcess {
    const { pluginsDirectory, env } = this.options;
    const directory = pluginsDirectory === undefined ? [] : ['--plugins-directory', pluginsDirectory];
    return spawn(process.execPath, [...process.execArgv, CLI, 'serve', ...directory, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
  }

  private accepts(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.options.socketPath);
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}

/** Our own command line: TypeScript beside the sources, JavaScript in a build. */
const CLI = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));

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
  };
}
