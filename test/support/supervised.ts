import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { childrenOf, describeProcess } from '../../src/dev/processes.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
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
    while ((this.output.match(/server started at path/g) ?? []).length < times) {
      if (this.stopped) throw new Error(`stopped before it served:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The ids of its worker processes. */
  workers(): number[] {
    return childrenOf(this.pid).filter((pid) => describeProcess(pid)?.command.includes(CLI));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    process.off('exit', this.onExit);
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await ended;
  }

  private launch(): ChildProcess {
    this.startedAt = Date.now();
    this.starts++;
    const node = [...(this.options.node ?? []), '--import', 'tsx', CLI, ...this.args];
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
      if (this.stopped) return;
      const wait = Math.max(0, this.startedAt + RESTART_INTERVAL_MS - Date.now());
      this.timer = setTimeout(() => {
        if (!this.stopped) this.child = this.launch();
      }, wait);
    });
    return child;
  }
}
