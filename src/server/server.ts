import type { Socket } from 'node:net';
import type { PluginDefinition } from '../plugin/definition.js';
import type { Commands } from './commands.js';
import { Connection, connectionOf } from './connection.js';
import { mostConnections } from './descriptors.js';
import { CommandRefused, describeError } from './errors.js';
import { expiryIntervalMs, type InstanceAuthority, LocalAuthority } from './instances/authority.js';
import { InstanceIds } from './instances/ids.js';
import { type Instance, InstanceStore } from './instances/instances.js';
import type { Log } from './log.js';
import type { Metrics } from './metrics.js';
import { MsgpackEvents } from './msgpack/events.js';
import type { EventHost, Outcome, PluginEvent } from './plugin-event.js';
import type { Accepting, Listening } from './socket/listening.js';
import { waitUntil } from './wait-until.js';

export interface ServerOptions {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  /** How long an event may last until it is answered with 500, in milliseconds. Default 10 s. */
  readonly eventDeadlineMs?: number | undefined;
  /** How long an instance may go without an event, in milliseconds. Default 1 h. */
  readonly instanceTtlMs?: number | undefined;
  /** Largest frame or message accepted. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Where events are counted; nowhere by default. */
  readonly metrics?: Metrics | undefined;
  /** How many processes share the work, this one included. Default 1. */
  readonly workers?: number | undefined;
  /** Who decides which instances there are. Default: this process alone. */
  readonly authority?: ((instances: InstanceStore) => InstanceAuthority) | undefined;
  /** The events under way over MsgPack:1, where processes share them. */
  readonly msgpackEvents?: MsgpackEvents | undefined;
  /** The most connections that are kept. Default: what the limit of file descriptors leaves. */
  readonly maxConnections?: number | undefined;
}

const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_TTL_MS = 60 * 60 * 1000;
const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** How much longer than its deadline Kong may take for the calls of an event over MsgPack:1. */
const STEP_GRACE_MS = 60_000;
const SWEEP_MS = 500;
/** A refusing instance is constructed again with an event, at most once in this time. */
const RETRY_MS = 1000;
/** How often a server that leaves ends the idle connections of MsgPack:1, and how long it goes without any other means. */
const LEAVE_INTERVAL_MS = 5;
const INSIST_AFTER_MS = 1000;
/** What a connection that has to make room for others may still read, in milliseconds. */
const MAKE_ROOM_MS = 100;

/**
 * A plugin server in this process: plugins, their instances, and the connections of Kong's workers. Where those come
 * from, and whether other processes share the instances, is not known here.
 */
export class PluginServer implements Commands, EventHost, Accepting {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  readonly maxMessageBytes: number;
  leaving = false;
  insisting = false;
  generation = 0;
  /** How many connections there have been. */
  acceptedCount = 0;
  private readonly deadlineMs: number;
  private readonly sweepMs: number;
  private readonly ttlMs: number;
  /** What is started here. */
  readonly instances: InstanceStore;
  private readonly authority: InstanceAuthority;
  private readonly msgpackEvents: MsgpackEvents;
  private readonly maxConnections: number;
  private readonly metrics: Metrics | undefined;
  private readonly running = new Set<PluginEvent>();
  private readonly sockets = new Set<Socket>();
  private listening: Listening | undefined;
  private leaver: NodeJS.Timeout | undefined;
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
    this.instances = new InstanceStore(options.plugins, options.log, { workers: options.workers ?? 1 });
    this.metrics = options.metrics;
    this.msgpackEvents = options.msgpackEvents ?? new MsgpackEvents();
    this.authority =
      options.authority?.(this.instances) ??
      new LocalAuthority(this.instances, () => new InstanceIds({ generation: this.generation }));
    this.maxConnections = options.maxConnections ?? mostConnections();
  }

  /** How many instances are started. */
  get instanceCount(): number {
    return this.instances.size;
  }

  get host(): EventHost {
    return this;
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.sockets.size;
  }

  /** Serves what comes from there. @throws SocketPathError */
  async listen(listening: Listening): Promise<void> {
    this.listening = listening;
    this.startSweeping();
    await listening.open(this);
  }

  accept(socket: Socket): void {
    if (this.sockets.size >= this.maxConnections) this.makeRoom();
    this.sockets.add(socket);
    this.acceptedCount++;
    new Connection(socket, this, this.msgpackEvents, this.sockets);
  }

  /** From now on Kong is sent elsewhere with each event that it brings; those under way are answered. */
  leave(): void {
    if (this.leaving) return;
    this.leaving = true;
    const insistAt = performance.now() + INSIST_AFTER_MS;
    this.leaver = setInterval(() => {
      this.insisting = performance.now() >= insistAt;
      for (const socket of this.sockets) connectionOf(socket)?.leave();
    }, LEAVE_INTERVAL_MS);
    this.leaver.unref();
  }

  stay(): void {
    this.leaving = false;
    this.insisting = false;
    clearInterval(this.leaver);
  }

  /**
   * Leaves, lets nobody find the socket any more, and in the end closes the connections that nobody has used meanwhile.
   *
   * @param graceMs the time after which what is left is cut
   */
  async stop(graceMs: number): Promise<void> {
    this.listening?.release();
    const startedAt = performance.now();
    this.leave();
    await waitUntil(() => this.sockets.size === 0, startedAt + (graceMs * 2) / 3);
    await this.drain(startedAt + graceMs - performance.now());
    this.close();
  }

  /** Ends every connection as soon as that costs no event, and waits for its end; `graceMs` at most. */
  async drain(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    for (const socket of this.sockets) connectionOf(socket)?.drain();
    await waitUntil(() => this.sockets.size === 0, deadline);
  }

  /** Stops at once: events under way are cut. */
  close(): void {
    clearInterval(this.sweeper);
    clearInterval(this.leaver);
    this.listening?.close();
    this.listening = undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Closes all instances and waits for what they have to close. */
  async closeInstances(): Promise<void> {
    await Promise.all([...this.instances.all()].map(({ id }) => this.instances.close(id)));
  }

  findInstance(id: number): Instance | undefined {
    const instance = this.instances.get(id);
    if (instance === undefined) return undefined;
    if (instance.refusal !== undefined && this.now - instance.triedAt >= RETRY_MS) {
      this.instances.retry(instance, this.now);
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

  private startSweeping(): void {
    this.now = Date.now();
    this.sweeper = setInterval(() => this.sweep(), this.sweepMs);
    this.sweeper.unref();
  }

  /**
   * Closes a connection for the sake of a new one: the oldest that never brought a command, or else the oldest that has
   * none under way. Without file descriptors nobody could connect, so whoever holds many idle ones would keep Kong out.
   */
  private makeRoom(): void {
    let idle: Connection | undefined;
    for (const socket of this.sockets) {
      const connection = connectionOf(socket);
      if (connection === undefined || connection.isClosing) continue;
      if (connection.isUnused) {
        socket.destroy();
        this.sockets.delete(socket);
        return;
      }
      if (connection.isIdle) idle ??= connection;
    }
    idle?.end(MAKE_ROOM_MS);
  }

  private sweep(): void {
    const before = this.now;
    this.now = Date.now();
    // What came in while a handler blocked the loop, or the system stopped the process, has not been read yet: that time
    // is not charged to the events, or those that were answered long ago would be refused.
    const stoodStill = this.now - before - 2 * this.sweepMs;
    if (stoodStill > 0) for (const event of this.running) event.startedAt += stoodStill;
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
