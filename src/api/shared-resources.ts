/** A share in a resource that lives as long as somebody holds a share. */
export interface Share<T> {
  readonly value: T;
  /** Gives the share back; more than one call counts once. */
  release(): void;
}

/**
 * Resources by key, made for the first user and disposed of after the last: Kong starts one instance per
 * configuration and worker, and a thousand of them must not mean a thousand connection pools.
 *
 * ```ts
 * import { SharedResources } from 'kong-ts-pluginserver';
 *
 * const pools = new SharedResources<Pool>((pool) => void pool.end());
 * const pool = pools.acquire(url, () => new Pool({ connectionString: url })); // in the constructor
 * pool.release(); // in close()
 * ```
 */
export class SharedResources<T> {
  readonly #entries = new Map<string, { value: T; users: number }>();
  readonly #dispose: (value: T) => void;

  /** @param dispose called with a resource when its last user has given it back */
  constructor(dispose: (value: T) => void) {
    this.#dispose = dispose;
  }

  /** A share in the resource of this key, made by `create` if there is none; what `create` throws is thrown. */
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
