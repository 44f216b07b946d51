/** A share in a resource that lives as long as somebody holds a share. */
export interface Share<T> {
  readonly value: T;
  /** Gives the share back; more than one call counts once. */
  release(): void;
}

/**
 * Resources by key, made for the first user and disposed of after the last: Kong starts one instance per
 * configuration and worker, and a thousand of them must not mean a thousand connection pools.
 */
export class SharedResources<T> {
  readonly #entries = new Map<string, { value: T; users: number }>();
  readonly #dispose: (value: T) => void;

  constructor(dispose: (value: T) => void) {
    this.#dispose = dispose;
  }

  acquire(key: string, create: () => T): Share<T> {
    const entry = this.#entries.get(key) ?? { value: create(), users: 0 };
    entry.users += 1;
    this.#entries.set(key, entry);
    let held = true;
    return {
      value: entry.value,
      release: () => {
        if (!held) return;
        held = false;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries.delete(key);
        this.#dispose(entry.value);
      },
    };
  }

  /** How many resources are alive. */
  get size(): number {
    return this.#entries.size;
  }
}
