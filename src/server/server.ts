import { createServer, type Server, type Socket } from 'node:net';
import type { PluginDefinition } from '../plugin/definition.js';
import type { Commands } from './commands.js';
import { Connection, drainConnection } from './connection.js';
import { CommandRefused, describeError } from './errors.js';
import { expiryIntervalMs, type InstanceAuthority, LocalAuthority } from './instances/authority.js';
import { type Instance, InstanceStore } from './instances/instances.js';
import type { Log } from './log.js';
import type { Metrics } from './metrics.js';
import { MsgpackEvents } from './msgpack/events.js';
import type { EventHost, Outcome, PluginEvent } from './plugin-event.js';
import { SocketKeeper } from './socket/keeper.js';
import { assertMayTakeOver } from './socket/owner.js';
import { BACKLOG, SocketPath } from './socket/path.js';
import { waitUntil } from './wait-until.js';
import { FairAccept } from './workers/fair-accept.js';
import { MAX_WORKERS, SOCKET_FD } from './workers/messages.js';
import { PrimaryLine } from './workers/worker.js';

export interface ServerOptions {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  /** How long an event may last until it is answered with 500, in milliseconds. Default 10 s. */
  readonly eventDeadlineMs?: number | undefined;
  /** How long an instance may go without an event, in milliseconds. Default 1 h. */
  readonly instanceTtlMs?: number | undefined;
  /** Largest frame or message accepted. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Permissions of the socket file. Default 0600. */
  readonly socketMode?: number | undefined;
  /** Where events are counted; nowhere by default. */
  readonly metrics?: Metrics | undefined;
  /** How many processes share the work, this one included. Default 1. */
  readonly workers?: number | undefined;
  /** The number of this worker, when a primary has started it. */
  readonly worker?: number | undefined;
}

const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_TTL_MS = 60 * 60 * 1000;
const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const DEFAULT_SOCKET_MODE = 0o600;
/** How much longer than its deadline Kong may take for the calls of an event over MsgPack:1. */
const STEP_GRACE_MS = 60_000;
const SWEEP_MS = 500;
/** A refusing instance that has been left alone for this long is tried again with its next event. */
const RETRY_MS = 1000;

/** A plugin server in this process: plugins, their instances, and the connections of Kong's workers. */
export class PluginServer implements Commands, EventHost {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  readonly maxMessageBytes: number;
  leaving = false;
  private readonly deadlineMs: number;
  private readonly sweepMs: number;
  private readonly ttlMs: number;
  private readonly socketMode: number;
  private readonly instances: InstanceStore;
  private readonly authority: InstanceAuthority;
  private readonly msgpackEvents: MsgpackEvents;
  private readonly primary: PrimaryLine | undefined;
  private readonly fairAccept: FairAccept | undefined;
  private readonly metrics: Metrics | undefined;
  private readonly running = new Set<PluginEvent>();
  private readonly sockets = new Set<Socket>();
  private listener: { server: Server; path?: SocketPath; keeper?: SocketKeeper } | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private expiredAt = Date.now();
  /** The clock, as of the last sweep: exact enough for deadlines and idle times, and free. */
  private now = Date.now();

  constructor(options: ServerOptions) {
    this.plugins = options.plugins;
    this.log = options.log;
    this.maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.deadlineMs = options.eventDeadlineMs ?? DEFAULT_DEADLINE_MS;
    this.sweepMs = Math.min(SWEEP_MS, this.deadlineMs / 4);
    this.ttlMs = options.instanceTtlMs ?? DEFAULT_TTL_MS;
    this.socketMode = options.socketMode ?? DEFAULT_SOCKET_MODE;
    this.instances = new InstanceStore(options.plugins, options.log, { workers: options.workers ?? 1 });
    this.metrics = options.metrics;
    if (options.worker === undefined) {
      this.msgpackEvents = new MsgpackEvents();
      this.authority = new LocalAuthority(this.instances);
    } else {
      this.msgpackEvents = new MsgpackEvents(options.worker, MAX_WORKERS);
      this.fairAccept = new FairAccept();
      this.primary = new PrimaryLine(this.instances, this.msgpackEvents, options.metrics);
      this.msgpackEvents.forwarder = this.primary;
      this.authority = this.primary;
    }
  }

  /** How many instances are started. */
  get instanceCount(): number {
    return this.instances.size;
  }

  get host(): EventHost {
    return this;
  }

  /** @throws SocketPathError */
  async listen(path: string): Promise<void> {
    const socketPath = new SocketPath(path);
    await assertMayTakeOver(path);
    const actions = { bindAnew: () => this.listenAnew(socketPath), superseded: () => this.leave() };
    const keeper = new SocketKeeper(socketPath, actions, this.log);
    const server = this.createListener();
    await socketPath.listen(server, this.socketMode);
    this.listener = { server, path: socketPath, keeper };
    keeper.start();
    this.startSweeping();
  }

  private async listenAnew(path: SocketPath): Promise<void> {
    const server = this.createListener();
    await path.listen(server, this.socketMode);
    const before = this.listener;
    this.listener = { ...before, server };
    before?.server.close();
  }

  /** As a worker: accepts from the socket that the primary holds, once the instances that there are are known. */
  async listenAsWorker(): Promise<void> {
    await this.primary?.connect();
    const server = this.createListener();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd: SOCKET_FD, backlog: BACKLOG }, resolve);
    });
    this.listener = { server };
    this.primary?.onSocketChange({
      bound: (handle) => {
        const anew = this.createListener();
        anew.listen(handle, BACKLOG);
        this.listener?.server.close();
        this.listener = { server: anew };
      },
      superseded: () => this.leave(),
    });
    this.startSweeping();
    this.primary?.ready();
  }

  /** From now on Kong is sent elsewhere with each event that it brings; those under way are answered. */
  leave(): void {
    this.leaving = true;
  }

  /**
   * Gives the path back if it is still this server's, leaves, and in the end closes the connections that nobody has
   * used meanwhile.
   *
   * @param graceMs the time after which what is left is cut
   */
  async stop(graceMs: number): Promise<void> {
    this.listener?.keeper?.stop();
    this.listener?.path?.release();
    const startedAt = performance.now();
    this.leave();
    const gone = () => this.sockets.size === 0;
    await waitUntil(gone, startedAt + (graceMs * 2) / 3);
    for (const socket of this.sockets) drainConnection(socket);
    await waitUntil(gone, startedAt + graceMs);
    this.close();
  }

  /** Stops at once: events under way are cut, and the path is removed if it is still this server's. */
  close(): void {
    clearInterval(this.sweeper);
    this.listener?.keeper?.stop();
    this.listener?.path?.release();
    this.listener?.server.close();
    this.listener = undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Closes all instances and waits for what they have to close. */
  async closeInstances(): Promise<void> {
    await Promise.all([...this.instances.all()].map(({ id }) => this.instances.close(id)));
  }

  findInstance(id: number): Instance | undefined {
    const instance = this.instances.get(id);
    if (instance === undefined) return undefined;
    if (instance.refusal !== undefined && this.now - instance.lastUsedAt >= RETRY_MS) {
      this.instances.retry(instance);
    }
    instance.lastUsedAt = this.now;
    return instance;
  }

  instance(id: number): Instance {
    const instance = this.findInstance(id);
    if (instance === undefined) throw new CommandRefused('UNKNOWN_INSTANCE', `no plugin instance #${id}`);
    return instance;
  }

  async startInstance(name: string, configText: string): Promise<Instance> {
    return this.authority.start(name, configText);
  }

  async closeInstance(id: number): Promise<Instance | undefined> {
    return this.authority.close(id);
  }

  refused(reason: unknown): void {
    if (reason instanceof CommandRefused && reason.code === 'START_REFUSED') {
      this.log.error(`instance not started: ${reason.message}`);
    } else this.log.info(`refused: ${describeError(reason)}`);
  }

  started(event: PluginEvent): void {
    event.startedAt = this.now;
    if (this.metrics !== undefined) event.startedTick = performance.now();
    this.running.add(event);
  }

  ended(event: PluginEvent, outcome: Outcome): void {
    this.running.delete(event);
    this.metrics?.eventEnded(event, outcome, (performance.now() - event.startedTick) / 1000);
  }

  private createListener(): Server {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    server.on('error', (error) => this.log.error(`listening socket: ${describeError(error)}`));
    return server;
  }

  private startSweeping(): void {
    this.now = Date.now();
    this.sweeper = setInterval(() => this.sweep(), this.sweepMs);
    this.sweeper.unref();
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    new Connection(socket, this, this.msgpackEvents, this.sockets);
    this.fairAccept?.accepted(this.sockets.size);
  }

  private sweep(): void {
    const before = this.now;
    this.now = Date.now();
    // What came in while a handler blocked the loop, or the system stopped the process, has not been read yet: that time
    // is not charged to the events, or those that were answered long ago would be refused.
    const stoodStill = this.now - before - 2 * this.sweepMs;
    if (stoodStill > 0) for (const event of this.running) event.startedAt += stoodStill;
    this.fairAccept?.forget(this.sockets.size);
    for (const event of this.running) {
      if (event.waitsForClient) event.startedAt += this.now - before;
      else if (event.startedAt + this.deadlineMs < this.now) event.expire(this.deadlineMs);
    }
    this.msgpackEvents.expire(this.now - this.deadlineMs - STEP_GRACE_MS);
    if (this.now - this.expiredAt >= expiryIntervalMs(this.ttlMs)) {
      this.expiredAt = this.now;
      this.authority.expire(this.now - this.ttlMs);
    }
  }
}
