import { CommandRefused, describeError } from '../errors.js';
import type { InstanceAuthority } from '../instances/authority.js';
import type { Instance, InstanceStore } from '../instances/instances.js';
import type { Metrics } from '../metrics.js';
import type { EventData } from '../msgpack/event.js';
import type { MsgpackEvents, StepForwarder } from '../msgpack/events.js';
import { Asks } from './asks.js';
import {
  type ForwardedStep,
  type FromPrimary,
  type FromWorker,
  MAX_WORKERS,
  WORKER_VARIABLE,
} from './messages.js';

type Answer = Extract<FromPrimary, { type: 'answer' }>;

/** The number of this worker; undefined in a process that is none. */
export function workerIndex(): number | undefined {
  const text = process.env[WORKER_VARIABLE];
  return text === undefined || process.send === undefined ? undefined : Number(text);
}

/** What a worker is told of the socket. */
export interface SocketChange {
  /** There is another one to listen on: the file of the one before was removed. */
  bound(handle: unknown): void;
  /** Its path belongs to another server by now. */
  superseded(): void;
}

/** A worker's line to its primary: which instances there are is decided there. */
export class PrimaryLine implements InstanceAuthority, StepForwarder {
  private readonly store: InstanceStore;
  private readonly events: MsgpackEvents;
  private readonly metrics: Metrics | undefined;
  private readonly asks = new Asks<Answer>();
  private reportedAt = Date.now();
  private socketChange: SocketChange | undefined;

  constructor(store: InstanceStore, events: MsgpackEvents, metrics: Metrics | undefined) {
    this.store = store;
    this.events = events;
    this.metrics = metrics;
  }

  /** Resolves when the instances that there are already are known here. */
  connect(): Promise<void> {
    // A primary that is gone leaves nobody who would start workers again, or stop them.
    process.once('disconnect', () => process.exit(1));
    return new Promise((resolve) => {
      process.on('message', (message: FromPrimary, handle: unknown) => {
        if (message.type === 'socket') {
          this.socketChange?.bound(handle);
          return;
        }
        if (message.type !== 'serve') {
          void this.receive(message);
          return;
        }
        for (const instance of message.instances) this.add(instance);
        resolve();
      });
    });
  }

  onSocketChange(change: SocketChange): void {
    this.socketChange = change;
  }

  /** Tells the primary that connections are accepted. */
  ready(): void {
    tell({ type: 'ready' });
  }

  async start(name: string, configText: string): Promise<Instance> {
    const { id, refusal } = await this.asks.put((ask) => tell({ type: 'start', ask, name, configText }));
    const instance = id === undefined ? undefined : this.store.get(id);
    if (instance !== undefined) return instance;
    throw new CommandRefused('START_REFUSED', refusal ?? `plugin "${name}": not started`);
  }

  async close(id: number): Promise<Instance | undefined> {
    const instance = this.store.get(id);
    await this.asks.put((ask) => tell({ type: 'close', ask, id }));
    return instance;
  }

  /** Idle is what no worker uses, so the primary decides; here, it is told what was in use. */
  expire(): void {
    const ids: number[] = [];
    for (const { id, lastUsedAt } of this.store.all()) if (lastUsedAt >= this.reportedAt) ids.push(id);
    this.reportedAt = Date.now();
    if (ids.length > 0) tell({ type: 'used', ids });
  }

  async forward(eventId: number, data: unknown, error: unknown): Promise<EventData> {
    const step: ForwardedStep = { eventId, data, error };
    const answer = await this.asks.put((ask) =>
      tell({ type: 'step', ask, worker: eventId % MAX_WORKERS, step }),
    );
    if (answer.data === undefined) throw new Error(answer.refusal);
    return answer.data;
  }

  private async receive(message: FromPrimary): Promise<void> {
    switch (message.type) {
      case 'answer':
        this.asks.answer(message.ask, message);
        return;
      case 'add': {
        const refusal = this.add(message.instance);
        tell({ type: 'answer', ask: message.ask, ...(refusal === undefined ? {} : { refusal }) });
        return;
      }
      case 'superseded':
        this.socketChange?.superseded();
        return;
      case 'drop':
        void this.store.close(message.id, message.reason);
        return;
      case 'step':
        this.step(message.ask, message.step);
        return;
      case 'metrics':
        tell({
          type: 'answer',
          ask: message.ask,
          ...(this.metrics && { metrics: await this.metrics.snapshot() }),
        });
        return;
      default:
    }
  }

  private add(instance: { id: number; name: string; configText: string }): string | undefined {
    try {
      this.store.start(instance.id, instance.name, instance.configText, Date.now());
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  private step(ask: number, { eventId, data, error }: ForwardedStep): void {
    const reply = (answer: EventData) => tell({ type: 'answer', ask, data: answer });
    if (this.events.find(eventId)?.step(data, error, reply)) return;
    tell({ type: 'answer', ask, refusal: `event ${eventId} is not under way` });
  }
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
