import { expiryIntervalMs } from '../instances/authority.js';
import { InstanceIds } from '../instances/ids.js';
import type { FromPrimary, FromWorker, SharedInstance } from './messages.js';

const NOBODY_WAITS = 0;

/** What a worker answers to a question. */
export type WorkerAnswer = Extract<FromWorker, { type: 'answer' }>;

/** The primary's way to a worker. */
export interface WorkerLine {
  readonly index: number;
  /** Whether it serves. */
  readonly ready: boolean;
  tell(message: FromPrimary): void;
  /** @throws Error when the worker goes before it answers */
  ask(question: (ask: number) => FromPrimary): Promise<WorkerAnswer>;
}

/** The instances that all workers have in common, and the Steps of events that are under way in another worker. */
export class SharedInstances {
  private readonly ttlMs: number;
  private readonly workers: () => readonly WorkerLine[];
  private readonly instances = new Map<number, SharedInstance & { usedAt: number }>();
  private readonly expiry: NodeJS.Timeout;
  private ids: InstanceIds | undefined;
  private begun: () => void = () => {};
  private readonly beginning = new Promise<void>((resolve) => {
    this.begun = resolve;
  });

  /**
   * @param ttlMs how long an instance may go without an event, in milliseconds
   * @param workers those that run
   */
  constructor(ttlMs: number, workers: () => readonly WorkerLine[]) {
    this.ttlMs = ttlMs;
    this.workers = workers;
    this.expiry = setInterval(() => this.expire(), expiryIntervalMs(ttlMs));
    this.expiry.unref();
  }

  /** Gives out ids from now on. */
  begin(generation: number): void {
    this.ids = new InstanceIds({ generation });
    this.begun();
  }

  end(): void {
    clearInterval(this.expiry);
  }

  all(): SharedInstance[] {
    return [...this.instances.values()];
  }

  /** Does what a worker wants done with instances. */
  async receive(worker: WorkerLine, message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'used':
        for (const id of message.ids) this.markUsed(id);
        return;
      case 'close':
        this.drop(message.id, 'closed');
        worker.tell({ type: 'answer', ask: message.ask });
        return;
      case 'start':
        worker.tell({ type: 'answer', ask: message.ask, ...(await this.start(message)) });
        return;
      case 'step':
        worker.tell({ type: 'answer', ask: message.ask, ...(await this.forwardStep(message)) });
        return;
      default:
    }
  }

  /** Every worker knows the instance before Kong learns its id: the first event may go to any of them. */
  private async start(start: {
    name: string;
    configText: string;
  }): Promise<{ id?: number; refusal?: string }> {
    await this.beginning;
    const id = await (this.ids as InstanceIds).free((taken) => this.instances.has(taken));
    const instance = { id, name: start.name, configText: start.configText };
    this.instances.set(id, { ...instance, usedAt: Date.now() });
    const answers = await Promise.allSettled(this.workers().map((worker) => add(worker, instance)));
    // A worker that went away meanwhile is replaced by one that gets the whole list.
    const refusal = answers
      .map((a) => (a.status === 'fulfilled' ? a.value.refusal : undefined))
      .find((r) => r !== undefined);
    if (refusal === undefined) return { id };
    this.drop(id, 'refused');
    return { refusal };
  }

  private async forwardStep(message: Extract<FromWorker, { type: 'step' }>): Promise<Partial<WorkerAnswer>> {
    const owner = this.workers().find(({ index }) => index === message.worker);
    const gone = { refusal: `event ${message.step.eventId} is not under way` };
    if (owner === undefined) return gone;
    return owner
      .ask((ask) => ({ type: 'step', ask, step: message.step }))
      .then(
        ({ data, refusal }) => (data === undefined ? { refusal: refusal ?? gone.refusal } : { data }),
        () => gone,
      );
  }

  private drop(id: number, reason: string): void {
    this.instances.delete(id);
    for (const worker of this.workers()) worker.tell({ type: 'drop', id, reason });
  }

  private markUsed(id: number): void {
    const instance = this.instances.get(id);
    if (instance !== undefined) instance.usedAt = Date.now();
  }

  private expire(): void {
    const since = Date.now() - this.ttlMs;
    for (const { id, usedAt } of this.instances.values()) {
      if (usedAt < since) this.drop(id, 'expired');
    }
  }
}

/** One that does not serve yet hears of it before it does, and is not waited for. */
async function add(worker: WorkerLine, instance: SharedInstance): Promise<{ refusal?: string }> {
  if (worker.ready) return worker.ask((ask) => ({ type: 'add', ask, instance }));
  worker.tell({ type: 'add', ask: NOBODY_WAITS, instance });
  return {};
}
