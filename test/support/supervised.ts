import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { allProcesses, childrenOf, describeProcess, signalProcess } from '../../src/dev/processes.js';
import { CLI, NODE_CLI } from './command-line.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Kong starts an exited server again at once, or a second after the last start. */
const RESTART_INTERVAL_MS = 1000;

export interface SupervisedOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Flags for node itself. */
  readonly node?: readonly string[];
  /** The most file descriptors that it may have open. */
  readonly files?: number;
}

/** A plugin server that is started again whenever it ends, as Kong does it. */
export class Supervised {
  child: ChildProcess;
  /** How many times it was started. */
  starts = 0;
  output = '';
  private readonly args: readonly string[];
  private readonly options: SupervisedOptions;
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly onExit = () => this.child.kill('SIGKILL');

  /** @param args of the command line */
  constructor(args: readonly string[], options: SupervisedOptions = {}) {
    this.args = args;
    this.options = options;
    this.child = this.launch();
    process.once('exit', this.onExit);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Waits until this many servers have said that they serve. */
  async serving(times = 1): Promise<void> {
    await this.said(/server started at path/g, times);
  }

  /** The ids of its worker processes. */
  workers(): number[] {
    return childrenOf(this.pid).filter((pid) => describeProcess(pid)?.command.includes(CLI));
  }

  /** Every process of this command line, those included whose primary is gone. */
  lingering(): number[] {
    const socket = this.args[this.args.indexOf('--socket') + 1] as string;
    return allProcesses().filter((pid) => describeProcess(pid)?.command.includes(socket));
  }

  /**
   * What `kong reload` does: starts another server on the same path, and ends the old one at some moment, be the new one
   * ready or not, giving it 20 ms to stop. Resolves when the new one serves and the old one has ended.
   *
   * @param afterMs when the old one is told to stop, from the start of the new one
   */
  async reload(afterMs: number): Promise<void> {
    const old = this.child;
    this.child = this.launch();
    const ended = once(old, 'exit');
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    old.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 20));
    old.kill('SIGKILL');
    await ended;
    await this.serving(this.starts);
  }

  private async said(pattern: RegExp, times: number): Promise<void> {
    while ((this.output.match(pattern) ?? []).length < times) {
      if (this.stopped) throw new Error(`stopped without saying ${pattern}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    process.off('exit', this.onExit);
    for (const pid of this.lingering()) signalProcess(pid, 'SIGKILL');
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await ended;
  }

  private launch(): ChildProcess {
    this.startedAt = Date.now();
    this.starts++;
    const node = [...(this.options.node ?? []), ...NODE_CLI, ...this.args];
    const [command, args] =
      this.options.files === undefined
        ? [process.execPath, node]
        : ['/bin/sh', ['-c', `ulimit -n ${this.options.files}; exec "$0" "$@"`, process.execPath, ...node]];
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...this.options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    child.once('exit', () => {
      if (this.stopped || this.child !== child) return;
      const wait = Math.max(0, this.startedAt + RESTART_INTERVAL_MS - Date.now());
      this.timer = setTimeout(() => {
        if (!this.stopped) this.child = this.launch();
      }, wait);
    });
    return child;
  }
}
