import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { allProcesses, childrenOf, describeProcess, signalProcess } from '../../src/dev/processes.js';
import { NODE_CLI } from './command-line.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** For a machine that is busy with many tests. */
const PATIENCE_MS = 90_000;

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  /** Instead of this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Another program to run, without anything before its arguments. */
  readonly program?: string;
  readonly cwd?: string;
  /** A TypeScript file to run instead of the command line's. */
  readonly script?: string;
  /** Flags for node itself. */
  readonly node?: readonly string[];
  /** The most file descriptors that it may have open. */
  readonly files?: number;
  /** What runs it: `taskset`, for instance, with its arguments. */
  readonly runner?: readonly string[];
}

/** A process of the command line, from its sources; every test and benchmark that wants a server of ours has it so. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  stdout = '';
  stderr = '';
  /** Both of them, as they came. */
  log = '';
  private readonly args: readonly string[];
  private ended = false;
  private wake: () => void = () => {};

  constructor(args: readonly string[], options: SpawnOptions = {}) {
    this.args = args;
    const [command = '', ...rest] = commandOf(args, options);
    this.child = spawn(command, rest, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        this.log += text;
        this.wake();
      });
    }
    this.finished = once(this.child, 'close').then(([code, signal]) => {
      this.ended = true;
      this.wake();
      const { stdout, stderr } = this;
      return { code, signal, stdout, stderr };
    });
  }

  /** Waits until the process has written something that matches. Fails when it ends before that, or takes too long. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake();
    }, PATIENCE_MS);
    try {
      return await this.match(pattern, () => late);
    } finally {
      clearTimeout(timer);
    }
  }

  private async match(pattern: RegExp, tooLate: () => boolean): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.ended || tooLate()) {
        const what = this.ended ? 'ended without saying' : 'has not said';
        throw new Error(`${what} ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  /** The ids of its worker processes. */
  workers(): number[] {
    return childrenOf(this.pid).filter((pid) => this.isOurs(pid));
  }

  /** Every process with this command line, those included that have lost the one that started them. */
  all(): number[] {
    return allProcesses().filter((pid) => this.isOurs(pid));
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    if (!this.ended) this.child.kill(signal);
    return this.finished;
  }

  /** Ends it and everything that it has left behind. */
  async kill(): Promise<void> {
    const pids = this.all();
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    await this.stop('SIGKILL');
  }

  private isOurs(pid: number): boolean {
    return describeProcess(pid)?.command.includes(this.args.join(' ')) === true;
  }
}

function commandOf(args: readonly string[], options: SpawnOptions): string[] {
  const own = options.script === undefined ? NODE_CLI : ['--import', 'tsx', '--', options.script];
  const node = [process.execPath, ...(options.node ?? []), ...own];
  const command = [...(options.runner ?? []), ...(options.program ? [options.program] : node), ...args];
  if (options.files === undefined) return command;
  return ['/bin/sh', '-c', `ulimit -n ${options.files}; exec "$0" "$@"`, ...command];
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return new CliProcess(args, options).finished;
}
