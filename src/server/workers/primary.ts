import { type ChildProcess, fork } from 'node:child_process';
import * as net from 'node:net';
import { describeError } from '../errors.js';
import { expiryIntervalMs } from '../instances/authority.js';
import { InstanceIds } from '../instances/ids.js';
import type { Log } from '../log.js';
import type { MetricsSnapshot } from '../metrics.js';
import { SocketKeeper } from '../socket/keeper.js';
import { assertMayTakeOver } from '../socket/owner.js';
import { SocketPath } from '../socket/path.js';
import { waitUntil } from '../wait-until.js';
import { Asks } from './asks.js';
import { type FromPrimary, type FromWorker, type SharedInstance, WORKER_VARIABLE } from './messages.js';

export interface PrimaryOptions {
  readonly workers: number;
  readonly socket: string;
  readonly socketMode: number;
  readonly log: Log;
  readonly instanceTtlMs: number;
}

type Answer = Extract<FromWorker, { type: 'answer' }>;

interface Worker {
  readonly index: number;
  readonly process: ChildProcess;
  readonly asks: Asks<Answer>;
  ready: boolean;
}

/** A worker that dies at once is not started again at once, or a broken plugin would keep a core busy. */
const RESTART_INTERVAL_MS = 1000;

/**
 * Owns the listening socket and the list of instances, and keeps the workers running. It reads no byte of Kong's: the
 * workers accept from the socket by themselves, so one that dies takes nothing with it but its own connections.
 */
export class Primary {
  private readonly options: PrimaryOptions;
  private readonly path: SocketPath;
  private readonly keeper: SocketKeeper;
  private readonly ids = new InstanceIds();
  private readonly instances = new Map<number, SharedInstance & { usedAt: number }>();
  private readonly workers: (Worker | undefined)[] = [];
  private handle: BoundHandle | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: PrimaryOptions) {
    this.options = options;
    this.path = new SocketPath(options.socket);
    const superseded = () => {
      for (const worker of this.running()) this.tell(worker, { type: 'superseded' });
    };
    const actions = { bindAnew: async () => this.bindAnew(), superseded };
    this.keeper = new SocketKeeper(this.path, actions, options.log);
  }

  /** Resolves when every worker accepts connections. @throws SocketPathError */
  async start(): Promise<void> {
    await assertMayTakeOver(this.options.socket);
    this.handle = this.bind();
    const ready: Promise<void>[] = [];
    for (let index = 0; index < this.options.workers; index++) ready.push(this.startWorker(index));
    await Promise.all(ready);
    this.path.takeOver();
    this.keeper.start();
    this.expiry = setInterval(() => this.expire(), expiryIntervalMs(this.options.instanceTtlMs));
    this.expiry.unref();
  }

  /**
   * Gives the path back if it is still this server's, and has the workers stop as a server on its own does.
   *
   * @param graceMs the time after which the workers are killed
   */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    clearInterval(this.expiry);
    this.keeper.stop();
    this.path.release();
    const deadline = performance.now() + graceMs;
    for (const worker of this.running()) worker.process.kill('SIGTERM');
    await waitUntil(() => this.running().length === 0, deadline);
    for (const worker of this.running()) worker.process.kill('SIGKILL');
    this.handle?.close();
  }

  async metrics(): Promise<MetricsSnapshot[]> {
    const answers = await Promise.all(
      this.running().map((worker) =>
        this.ask(worker, (ask) => ({ type: 'metrics', ask })).catch(() => undefined),
      ),
    );
    return answers.flatMap((answer) => (answer?.metrics === undefined ? [] : [answer.metrics]));
  }

  private bind(): BoundHandle {
    return this.path.bind((beside) => bindHandle(beside), this.options.socketMode);
  }

  /** For a socket whose file was removed: the workers listen on another one from now on. */
  private async bindAnew(): Promise<void> {
    const before = this.handle;
    const handle = this.bind();
    this.path.takeOver();
    this.handle = handle;
    for (const { process: child } of this.running()) {
      if (child.connected) child.send({ type: 'socket' } satisfies FromPrimary, handle as never, () => {});
    }
    before?.close();
  }

  private startWorker(index: number): Promise<void> {
    const { log } = this.options;
    const startedAt = Date.now();
    const child = fork(process.argv[1] as string, process.argv.slice(2), {
      env: { ...process.env, [WORKER_VARIABLE]: String(index) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', (this.handle as BoundHandle).fd],
      serialization: 'advanced',
    });
    const worker: Worker = { index, process: child, asks: new Asks(), ready: false };
    this.workers[index] = worker;
    child.on('error', (error) => log.error(`worker ${index}: ${describeError(error)}`));
    child.on('exit', (code, signal) => {
      worker.asks.fail(new Error(`worker ${index} is gone`));
      if (this.workers[index] === worker) this.workers[index] = undefined;
      if (this.stopped) return;
      log.error(
        `worker ${index} (pid ${child.pid}) ended by ${signal ?? `exit code ${code}`}; another one takes its place`,
      );
      const wait = worker.ready ? 0 : Math.max(0, startedAt + RESTART_INTERVAL_MS - Date.now());
      setTimeout(() => {
        if (!this.stopped) void this.startWorker(index);
      }, wait);
    });
    return new Promise((resolve) => {
      child.on('message', (message: FromWorker) => {
        if (message.type === 'ready') {
          worker.ready = true;
          resolve();
        } else void this.receive(worker, message);
      });
      this.tell(worker, { type: 'serve', instances: [...this.instances.values()] });
    });
  }

  private async receive(worker: Worker, message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'answer':
        worker.asks.answer(message.ask, message);
        return;
      case 'used':
        for (const id of message.ids) this.markUsed(id);
        return;
      case 'close':
        this.drop(message.id, 'closed');
        this.tell(worker, { type: 'answer', ask: message.ask });
        return;
      case 'start':
        this.tell(worker, { type: 'answer', ask: message.ask, ...(await this.startInstance(message)) });
        return;
      case 'step':
        this.tell(worker, { type: 'answer', ask: message.ask, ...(await this.forwardStep(message)) });
        return;
      default:
    }
  }

  /** Every worker knows the instance before Kong learns its id: the first event may go to any of them. */
  private async startInstance(start: {
    name: string;
    configText: string;
  }): Promise<{ id?: number; refusal?: string }> {
    const id = await this.ids.free((taken) => this.instances.has(taken));
    const instance = { id, name: start.name, configText: start.configText };
    this.instances.set(id, { ...instance, usedAt: Date.now() });
    const answers = await Promise.allSettled(
      this.running().map((worker) => this.ask(worker, (ask) => ({ type: 'add', ask, instance }))),
    );
    // A worker that went away meanwhile is replaced by one that gets the whole list.
    const refusal = answers
      .map((a) => (a.status === 'fulfilled' ? a.value.refusal : undefined))
      .find((r) => r !== undefined);
    if (refusal === undefined) return { id };
    this.drop(id, 'refused');
    return { refusal };
  }

  private async forwardStep(message: Extract<FromWorker, { type: 'step' }>): Promise<Partial<Answer>> {
    const owner = this.workers[message.worker];
    const gone = { refusal: `event ${message.step.eventId} is not under way` };
    if (owner === undefined) return gone;
    return this.ask(owner, (ask) => ({ type: 'step', ask, step: message.step })).then(
      ({ data, refusal }) => (data === undefined ? { refusal: refusal ?? gone.refusal } : { data }),
      () => gone,
    );
  }

  private drop(id: number, reason: string): void {
    this.instances.delete(id);
    for (const worker of this.running()) this.tell(worker, { type: 'drop', id, reason });
  }

  private markUsed(id: number): void {
    const instance = this.instances.get(id);
    if (instance !== undefined) instance.usedAt = Date.now();
  }

  private expire(): void {
    const since = Date.now() - this.options.instanceTtlMs;
    for (const { id, usedAt } of this.instances.values()) {
      if (usedAt < since) this.drop(id, 'expired');
    }
  }

  private running(): Worker[] {
    return this.workers.filter((worker) => worker !== undefined);
  }

  private ask(worker: Worker, question: (ask: number) => FromPrimary): Promise<Answer> {
    return worker.asks.put((ask) => this.tell(worker, question(ask)));
  }

  private tell(worker: Worker, message: FromPrimary): void {
    // A worker that has just died is reported by its exit.
    if (worker.process.connected) worker.process.send(message, () => {});
  }
}

/** A socket that is bound and not yet listened on; it listens once a worker does, and for as long as this is open. */
interface BoundHandle {
  readonly fd: number;
  close(): void;
}

/**
 * Binds without listening, which is what `node:cluster` does for its workers. A server that listened here would accept
 * connections here, too.
 */
function bindHandle(path: string): BoundHandle {
  const create = (
    net as unknown as { _createServerHandle: (path: string, port: number, type: number) => unknown }
  )._createServerHandle;
  const handle = create(path, -1, -1);
  if (typeof handle === 'number') {
    throw Object.assign(new Error(`cannot bind ${path}`), { errno: handle });
  }
  return handle as BoundHandle;
}
