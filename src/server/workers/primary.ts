import { type ChildProcess, spawn } from 'node:child_process';
import { PluginServerError } from '../../errors.js';
import { describeError } from '../errors.js';
import type { Log } from '../log.js';
import type { MetricsSnapshot } from '../metrics.js';
import { SocketKeeper } from '../socket/keeper.js';
import { assertMayTakeOver } from '../socket/owner.js';
import { type BoundHandle, SocketPath } from '../socket/path.js';
import { waitUntil } from '../wait-until.js';
import { Asks } from './asks.js';
import {
  type FromPrimary,
  type FromWorker,
  SOCKET_FD,
  SPARE_SOCKET_FD,
  WORKER_SOCKET_VARIABLE,
  WORKER_VARIABLE,
} from './messages.js';
import { SharedInstances, type WorkerAnswer, type WorkerLine } from './shared-instances.js';

export interface PrimaryOptions {
  readonly workers: number;
  readonly socket: string;
  readonly socketMode: number;
  readonly log: Log;
  /** How long an instance may go without an event, in milliseconds. */
  readonly instanceTtlMs: number;
}

/** The server cannot start: a worker ended before it served. */
export class WorkerFailedError extends PluginServerError {
  constructor(reason: string) {
    super('WORKER_FAILED', `the plugin server did not start: ${reason}`);
  }
}

interface Worker extends WorkerLine {
  readonly index: number;
  readonly process: ChildProcess;
  /** How many before it have ended without having served. */
  readonly failures: number;
  ready: boolean;
}

/** A worker that dies at once again and again is not started again at once, or a broken plugin would keep a core busy. */
const RESTART_INTERVAL_MS = 1000;

/**
 * Owns the listening socket and the list of instances, and keeps the workers running. It reads no byte of Kong's and
 * loads no plugin: the workers accept from the socket by themselves, so one that dies takes nothing with it but its own
 * connections, and they go on when the primary dies.
 */
export class Primary {
  private readonly options: PrimaryOptions;
  private readonly path: SocketPath;
  private readonly keeper: SocketKeeper;
  private readonly instances: SharedInstances;
  private readonly workers: (Worker | undefined)[] = [];
  private replaced = 0;
  private handle: BoundHandle | undefined;
  private generation = 0;
  private started = false;
  private stopped = false;

  constructor(options: PrimaryOptions) {
    this.options = options;
    this.path = new SocketPath(options.socket);
    this.instances = new SharedInstances(options.instanceTtlMs, () => this.running());
    const actions = {
      bindAnew: async () => this.bindAnew(),
      superseded: () => this.tellAll({ type: 'superseded' }),
      alone: () => this.tellAll({ type: 'alone' }),
    };
    this.keeper = new SocketKeeper(this.path, actions, options.log);
  }

  /**
   * Resolves when every worker serves. Where nobody serves yet, the socket is in its place at once: Kong's connections
   * wait for a worker then, and do not fail.
   *
   * @returns the plugins, each with its version
   * @throws SocketPathError, WorkerFailedError
   */
  async start(): Promise<readonly string[]> {
    this.handle = this.path.bind(this.options.socketMode);
    const ready: Promise<readonly string[]>[] = [];
    for (let index = 0; index < this.options.workers; index++) ready.push(this.startWorker(index));
    const all = Promise.all(ready);
    try {
      const predecessor = await assertMayTakeOver(this.options.socket);
      this.generation = predecessor.generation;
      this.instances.begin(predecessor.generation);
      this.tellAll({ type: 'generation', generation: this.generation });
      if (predecessor.alive) await all;
      this.path.takeOver();
      this.keeper.start();
      const [plugins = []] = await all;
      this.started = true;
      return plugins;
    } catch (error) {
      all.catch(() => {
        // Whichever failed first is what is said.
      });
      await this.giveUp(error);
      throw error;
    }
  }

  /**
   * Gives the path back if it is still this server's, and has the workers stop.
   *
   * @param graceMs the time after which the workers are killed
   */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    this.instances.end();
    this.keeper.stop();
    this.path.release();
    const deadline = performance.now() + graceMs;
    for (const worker of this.running()) worker.process.kill('SIGTERM');
    await waitUntil(() => this.running().length === 0, deadline);
    for (const worker of this.running()) worker.process.kill('SIGKILL');
    this.handle?.close();
  }

  /** How many workers have taken the place of one that ended by itself or was killed. */
  get restarts(): number {
    return this.replaced;
  }

  /** The metrics of all workers. */
  async metrics(): Promise<MetricsSnapshot[]> {
    const answers = await Promise.all(
      this.running().map((worker) => worker.ask((ask) => ({ type: 'metrics', ask })).catch(() => undefined)),
    );
    return answers.flatMap((answer) => (answer?.metrics === undefined ? [] : [answer.metrics]));
  }

  /** Whatever is there of a start that failed must not stay. */
  private async giveUp(error: unknown): Promise<void> {
    this.stopped = true;
    this.keeper.stop();
    this.instances.end();
    const gone = () => this.running().length === 0;
    // A worker that could not load its plugins ends by itself, when it has sent away who is waiting.
    if (error instanceof WorkerFailedError) await waitUntil(gone, performance.now() + RESTART_INTERVAL_MS);
    for (const worker of this.running()) worker.process.kill('SIGKILL');
    this.path.discard();
    this.path.release();
  }

  /** For a socket whose file was removed: the workers listen on another one from now on. */
  private bindAnew(): void {
    const before = this.handle;
    const handle = this.path.bind(this.options.socketMode);
    this.path.takeOver();
    this.handle = handle;
    const socketId = this.path.socketId;
    for (const { process: child } of this.running()) {
      if (child.connected && socketId !== undefined) {
        child.send({ type: 'socket', socketId } satisfies FromPrimary, handle as never, () => {});
      }
    }
    before?.close();
  }

  /** Resolves with its plugins when it serves. */
  private startWorker(index: number, failures = 0): Promise<readonly string[]> {
    const startedAt = Date.now();
    const child = this.spawn(index);
    const asks = new Asks<WorkerAnswer>();
    const tell = (message: FromPrimary) => {
      // A worker that has just died is reported by its exit.
      if (child.connected) child.send(message, () => {});
    };
    const worker: Worker = {
      index,
      process: child,
      failures,
      ready: false,
      tell,
      ask: (question) => asks.put((ask) => tell(question(ask))),
    };
    this.workers[index] = worker;
    const ready = new Promise<readonly string[]>((resolve, reject) => {
      child.on('error', (error) => {
        this.options.log.error(`worker ${index}: ${describeError(error)}`);
        reject(new WorkerFailedError(describeError(error)));
      });
      child.on('exit', (code, signal) => {
        asks.fail(new Error(`worker ${index} is gone`));
        if (this.workers[index] === worker) this.workers[index] = undefined;
        // One that ends by itself before anybody was served cannot load its plugins: neither could the next one.
        if (this.stopped || (signal === null && !this.started)) return;
        resolve(this.replace(worker, startedAt, signal ?? `exit code ${code}`));
      });
      // Not at its exit: what it has said last is still on its way then.
      child.on('close', () => reject(new WorkerFailedError('its lines above say why')));
      child.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'ready':
            worker.ready = true;
            resolve(message.plugins);
            return;
          case 'answer':
            asks.answer(message.ask, message);
            return;
          default:
            void this.instances.receive(worker, message);
        }
      });
    });
    tell({ type: 'serve', instances: this.instances.all() });
    tell({ type: 'generation', generation: this.generation });
    this.tellAll({ type: 'workers', pids: this.workers.map((other) => other?.process.pid ?? 0) });
    return ready;
  }

  private async replace(worker: Worker, startedAt: number, how: string): Promise<readonly string[]> {
    const { index, process: child } = worker;
    this.options.log.error(`worker ${index} (pid ${child.pid}) ended by ${how}; another one takes its place`);
    const failures = worker.ready ? 0 : worker.failures + 1;
    const wait = failures > 1 ? startedAt + RESTART_INTERVAL_MS - Date.now() : 0;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (this.stopped) return [];
    this.replaced++;
    return this.startWorker(index, failures);
  }

  /**
   * Runs this process's own command line as a worker. The dashes keep Node from taking flags of ours for its own. What
   * it writes is passed on: had it Kong's end of the pipe, Kong would not notice the end of this process before the
   * worker's.
   */
  private spawn(index: number): ChildProcess {
    const { fd } = this.handle as BoundHandle;
    const { path, socketId } = this.path;
    const stdio: ('ignore' | 'pipe' | 'ipc' | number)[] = ['ignore', 'pipe', 'pipe', 'ipc'];
    stdio[SOCKET_FD] = fd;
    stdio[SPARE_SOCKET_FD] = fd;
    const args = [...process.execArgv, '--', ...process.argv.slice(1)];
    const child = spawn(process.execPath, args, {
      env: {
        ...process.env,
        [WORKER_VARIABLE]: String(index),
        [WORKER_SOCKET_VARIABLE]: JSON.stringify({ path, socketId }),
      },
      stdio,
      serialization: 'advanced',
    });
    child.stdout?.on('data', (chunk) => process.stdout.write(chunk));
    child.stderr?.on('data', (chunk) => process.stderr.write(chunk));
    return child;
  }

  private running(): Worker[] {
    return this.workers.filter((worker) => worker !== undefined);
  }

  private tellAll(message: FromPrimary): void {
    for (const worker of this.running()) worker.tell(message);
  }
}
