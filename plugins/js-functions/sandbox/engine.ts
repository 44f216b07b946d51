import { newQuickJSWASMModule, type QuickJSWASMModule } from 'quickjs-emscripten';
import { findPollCounter } from './guest-memory.js';

/** Isolates of one WebAssembly module share its memory, which ends at 2 GB: they get at most this much of it. */
const MEMORY_OF_SHARD = 1024 * 1024 * 1024;
/** A fault of the engine takes the whole module with it: not too many isolates in one. */
const MOST_IN_SHARD = 64;

/** Something that lives in a shard and has to know when the shard is lost. */
export interface Tenant {
  /** Called when the engine has failed: its memory must not be touched any more. */
  engineLost(): void;
}

/** One copy of the engine: a WebAssembly module with its own memory, shared by some isolates. */
export class Shard {
  readonly module: QuickJSWASMModule;
  readonly pollCounter: number | undefined;
  readonly #tenants = new Map<Tenant, number>();
  #reserved = 0;
  #lost = false;

  constructor(module: QuickJSWASMModule, pollCounter: number | undefined) {
    this.module = module;
    this.pollCounter = pollCounter;
  }

  get empty(): boolean {
    return this.#tenants.size === 0;
  }

  get lost(): boolean {
    return this.#lost;
  }

  hasRoom(bytes: number): boolean {
    return !this.#lost && this.#tenants.size < MOST_IN_SHARD && this.#reserved + bytes <= MEMORY_OF_SHARD;
  }

  /** @param bytes the most memory that the tenant can take */
  enter(tenant: Tenant, bytes: number): void {
    this.#tenants.set(tenant, bytes);
    this.#reserved += bytes;
  }

  leave(tenant: Tenant): void {
    this.#reserved -= this.#tenants.get(tenant) ?? 0;
    this.#tenants.delete(tenant);
    engine.release(this);
  }

  /** The engine trapped or ran out of memory: nothing in this module can be trusted. */
  lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    for (const tenant of [...this.#tenants.keys()]) tenant.engineLost();
    this.#tenants.clear();
    engine.release(this);
  }
}

/** The copies of QuickJS in this process. */
class Engine {
  readonly #shards = new Set<Shard>();
  #opening: Promise<Shard> | undefined;
  #pollCounter: { readonly offset: number | undefined } | undefined;

  /** A shard with room for an isolate of so many bytes. */
  async shardFor(bytes: number): Promise<Shard> {
    for (;;) {
      for (const shard of this.#shards) if (shard.hasRoom(bytes)) return shard;
      this.#opening ??= this.#open().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
  }

  /** Forgets a shard that is lost, or empty while another has room. */
  release(shard: Shard): void {
    if (shard.lost || (shard.empty && this.#shards.size > 1)) this.#shards.delete(shard);
  }

  async #open(): Promise<Shard> {
    const module = await newQuickJSWASMModule();
    this.#pollCounter ??= { offset: findPollCounter(module) };
    const shard = new Shard(module, this.#pollCounter.offset);
    this.#shards.add(shard);
    return shard;
  }
}

/** One per process: memory and compiled code are shared by all plugins. */
export const engine = new Engine();
