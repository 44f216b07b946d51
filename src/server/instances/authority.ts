import type { InstanceIds } from './ids.js';
import type { Instance, InstanceStore } from './instances.js';

const MOST_EXPIRY_MS = 30_000;

/** How often idle instances are looked for, so that none lives much longer than its time to live. Milliseconds. */
export function expiryIntervalMs(ttlMs: number): number {
  return Math.min(MOST_EXPIRY_MS, ttlMs / 4);
}

/** Who decides which instances there are: this process alone, or the primary that it is a worker of. */
export interface InstanceAuthority {
  /** @throws CommandRefused `START_REFUSED` */
  start(name: string, configText: string): Promise<Instance>;
  /** Undefined when there is no such instance. */
  close(id: number): Promise<Instance | undefined>;
  /** Called now and then, to let go of what has not been used since `time`, Unix milliseconds. */
  expire(time: number): void;
}

/** For a process on its own. */
export class LocalAuthority implements InstanceAuthority {
  private readonly store: InstanceStore;
  private readonly makeIds: () => InstanceIds;
  private ids: InstanceIds | undefined;

  /** @param makeIds called at the first start: the generation is known by then */
  constructor(store: InstanceStore, makeIds: () => InstanceIds) {
    this.store = store;
    this.makeIds = makeIds;
  }

  async start(name: string, configText: string): Promise<Instance> {
    this.ids ??= this.makeIds();
    const id = await this.ids.free((taken) => this.store.get(taken) !== undefined);
    return this.store.start(id, name, configText, Date.now());
  }

  async close(id: number): Promise<Instance | undefined> {
    const instance = this.store.get(id);
    void this.store.close(id);
    return instance;
  }

  expire(time: number): void {
    this.store.expire(time);
  }
}
