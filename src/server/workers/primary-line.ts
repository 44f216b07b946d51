import type { Server } from 'node:net';
import { CommandRefused, describeError } from '../errors.js';
import { type InstanceAuthority, LocalAuthority } from '../instances/authority.js';
import { InstanceIds } from '../instances/ids.js';
import type { Instance, InstanceStore } from '../instances/instances.js';
import type { Metrics } from '../metrics.js';
import type { EventData } from '../msgpack/event.js';
import type { MsgpackEvents, StepForwarder } from '../msgpack/events.js';
import type { Accepting } from '../socket/listening.js';
import { BACKLOG, type SocketId } from '../socket/path.js';
import { Asks } from './asks.js';
import {
  type ForwardedStep,
  type FromPrimary,
  type FromWorker,
  MAX_WORKERS,
  WORKER_SOCKET_VARIABLE,
  type WorkerSocketFacts,
} from './messages.js';
import type { WorkerSocket } from './worker-socket.js';

type Answer = Extract<FromPrimary, { type: 'answer' }>;

/** What a worker has, for its primary to do something with. */
export interface WorkerParts {
  readonly store: InstanceStore;
  readonly events: MsgpackEvents;
  readonly metrics: Metrics | undefined;
  readonly socket: WorkerSocket;
  readonly server: Accepting;
}

/** What a worker has to know when its primary is gone. */
export interface Legacy {
  readonly path: string;
  readonly socketId: SocketId;
  readonly pids: readonly number[];
  readonly generation: number;
}

/**
 * A worker's line to its primary: which instances there are is decided there. When the primary is gone, it is decided
 * here, so that Kong lacks nothing until a successor serves.
 */
export class PrimaryLine implements InstanceAuthority, StepForwarder {
  /** Resolves when the primary has gone. */
  readonly lost: Promise<void>;
  private readonly index: number;
  private readonly asks = new Asks<Answer>();
  private readonly early: { message: FromPrimary; handle: unknown }[] = [];
  private parts: WorkerParts | undefined;
  private alone: LocalAuthority | undefined;
  private reportedAt = Date.now();
  private path: string | undefined;
  private socketId: SocketId | undefined;
  private pids: number[] = [];
  private generation = 0;
  private onStart: () => void = () => {};

  /** @param index the number of this worker */
  constructor(index: number) {
    this.index = index;
    const told = process.env[WORKER_SOCKET_VARIABLE];
    if (told !== undefined)
      ({ path: this.path, socketId: this.socketId } = JSON.parse(told) as WorkerSocketFacts);
    process.on('message', (message: FromPrimary, handle: unknown) => this.receive(message, handle));
    // It may have gone while this process was starting: nobody is told of that any more.
    this.lost = process.connected
      ? new Promise((resolve) => process.once('disconnect', resolve))
      : Promise.resolve();
  }

  /**
   * What is needed without a primary; undefined in a worker that was not told of its socket. One that has not been told
   * more, since the primary went first, is of generation 0: it has the path only if nobody had it before.
   */
  get legacy(): Legacy | undefined {
    const { path, socketId, pids, generation } = this;
    return path === undefined || socketId === undefined ? undefined : { path, socketId, pids, generation };
  }

  /** Takes what the primary has said so far, and from now on. */
  connect(parts: WorkerParts): void {
    this.parts = parts;
    for (const { message, handle } of this.early.splice(0)) this.receive(message, handle);
  }

  /** Tells the primary something. */
  tell(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  /**
   * Decides on instances here from now on, those included whose start the primary did not get to.
   *
   * @param onStart told of each instance that is started so: no sibling knows it
   */
  decideAlone(onStart: () => void): void {
    const { store } = this.parts as WorkerParts;
    const { generation, index } = this;
    const shares = Math.max(index + 1, this.pids.length);
    this.alone = new LocalAuthority(store, () => new InstanceIds({ generation, share: index, shares }));
    this.onStart = onStart;
    this.asks.fail(new Error('the primary is gone'));
  }

  async start(name: string, configText: string): Promise<Instance> {
    if (this.alone === undefined) {
      try {
        return await this.startAtPrimary(name, configText);
      } catch (error) {
        if (error instanceof CommandRefused) throw error;
      }
    }
    const alone = await this.decidesAlone();
    this.onStart();
    return alone.start(name, configText);
  }

  async close(id: number): Promise<Instance | undefined> {
    const instance = this.parts?.store.get(id);
    if (this.alone === undefined) {
      try {
        await this.asks.put((ask) => this.tell({ type: 'close', ask, id }));
        return instance;
      } catch (error) {
        // The primary has gone before it answered.
        if (process.connected) throw error;
      }
    }
    return (await this.decidesAlone()).close(id);
  }

  /** Idle is what no worker uses, so the primary decides; here, it is told what was in use. */
  expire(time: number): void {
    if (this.alone !== undefined) {
      this.alone.expire(time);
      return;
    }
    const ids: number[] = [];
    const { store } = this.parts as WorkerParts;
    for (const { id, lastUsedAt } of store.all()) if (lastUsedAt >= this.reportedAt) ids.push(id);
    this.reportedAt = Date.now();
    if (ids.length > 0) this.tell({ type: 'used', ids });
  }

  async forward(eventId: number, data: unknown, error: unknown): Promise<EventData> {
    const gone = `event ${eventId} is not under way`;
    if (this.alone !== undefined) throw new Error(gone);
    const step: ForwardedStep = { eventId, data, error };
    const worker = eventId % MAX_WORKERS;
    const answer = await this.asks.put((ask) => this.tell({ type: 'step', ask, worker, step }));
    if (answer.data === undefined) throw new Error(answer.refusal ?? gone);
    return answer.data;
  }

  private async startAtPrimary(name: string, configText: string): Promise<Instance> {
    const { id, refusal } = await this.asks.put((ask) => this.tell({ type: 'start', ask, name, configText }));
    const instance = id === undefined ? undefined : this.parts?.store.get(id);
    if (instance !== undefined) return instance;
    throw new CommandRefused('START_REFUSED', refusal ?? `plugin "${name}": not started`);
  }

  /** Once it is known here, too, that the primary has gone. */
  private async decidesAlone(): Promise<LocalAuthority> {
    await this.lost;
    if (this.alone === undefined) throw new CommandRefused('START_REFUSED', 'the server ends');
    return this.alone;
  }

  private receive(message: FromPrimary, handle: unknown): void {
    switch (message.type) {
      case 'generation':
        this.generation = message.generation;
        break;
      case 'workers':
        this.pids = message.pids;
        break;
      default:
    }
    if (this.parts === undefined) this.early.push({ message, handle });
    else void this.carryOut(message, handle, this.parts);
  }

  private async carryOut(message: FromPrimary, handle: unknown, parts: WorkerParts): Promise<void> {
    switch (message.type) {
      case 'serve':
        for (const instance of message.instances) this.add(instance);
        return;
      case 'generation':
        parts.server.generation = message.generation;
        return;
      case 'answer':
        this.asks.answer(message.ask, message);
        return;
      case 'add': {
        const refusal = this.add(message.instance);
        this.tell({ type: 'answer', ask: message.ask, ...(refusal === undefined ? {} : { refusal }) });
        return;
      }
      case 'socket':
        this.socketId = message.socketId;
        await parts.socket.replace(async (listener) => {
          listener.listen(handle as Server, BACKLOG);
        });
        return;
      case 'superseded':
        parts.server.leave();
        return;
      case 'alone':
        parts.server.stay();
        return;
      case 'drop':
        void parts.store.close(message.id, message.reason);
        return;
      case 'step':
        this.step(message.ask, message.step, parts.events);
        return;
      case 'metrics': {
        const metrics = await parts.metrics?.snapshot();
        this.tell({ type: 'answer', ask: message.ask, ...(metrics && { metrics }) });
        return;
      }
      default:
    }
  }

  private add(instance: { id: number; name: string; configText: string }): string | undefined {
    try {
      this.parts?.store.start(instance.id, instance.name, instance.configText, Date.now());
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  private step(ask: number, { eventId, data, error }: ForwardedStep, events: MsgpackEvents): void {
    const reply = (answer: EventData) => this.tell({ type: 'answer', ask, data: answer });
    if (events.find(eventId)?.step(data, error, reply)) return;
    this.tell({ type: 'answer', ask, refusal: `event ${eventId} is not under way` });
  }
}
