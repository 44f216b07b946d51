import type { Instance } from '../instances/instances.js';
import type { EventHost } from '../plugin-event.js';
import { type EventData, MsgpackEvent } from './event.js';

const MAX_ID = 0x7fffffff;

/** Takes a Step to the worker that runs the event, and brings back what it answers. */
export interface StepForwarder {
  /** @throws Error when the event is not under way there either */
  forward(eventId: number, data: unknown, error: unknown): Promise<EventData>;
}

/** The events under way over MsgPack:1, by the id that Kong repeats in every Step. */
export class MsgpackEvents {
  private readonly events = new Map<number, MsgpackEvent>();
  private readonly finished = (event: MsgpackEvent) => void this.events.delete(event.id);
  private readonly step: number;
  private readonly first: number;
  private lastId: number;
  /** Where Steps go whose events other workers run. */
  forwarder: StepForwarder | undefined;

  /** Ids are `first` plus multiples of `step`, so that each worker's are its own. */
  constructor(first = 0, step = 1) {
    this.first = first;
    this.step = step;
    this.lastId = first;
  }

  get size(): number {
    return this.events.size;
  }

  create(instance: Instance, phase: string, host: EventHost): MsgpackEvent {
    this.lastId = this.lastId > MAX_ID - this.step ? this.first + this.step : this.lastId + this.step;
    const event = new MsgpackEvent(this.lastId, instance, phase, host, this.finished);
    this.events.set(event.id, event);
    return event;
  }

  /**
   * Forgets the events that began before `time`, in the terms of `startedAt`: after an error in a PDK call Kong neither
   * comes back nor says so.
   */
  expire(time: number): void {
    for (const event of this.events.values()) {
      if (event.startedAt < time) event.lose();
    }
  }

  find(id: unknown): MsgpackEvent | undefined {
    return typeof id === 'number' ? this.events.get(id) : undefined;
  }
}
