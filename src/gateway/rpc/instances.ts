import type { ConfiguredPlugin } from '../plugin-port.js';
import { RpcError } from './errors.js';

/** The two commands that begin and end an instance. */
export interface InstanceCommands {
  /** Returns the instance id. */
  start(plugin: ConfiguredPlugin): Promise<number>;
  close(plugin: ConfiguredPlugin, instanceId: number): Promise<void>;
  /** Told when a start broke off in a way after which Kong's claim stays. */
  leftClaim(plugin: ConfiguredPlugin): void;
}

/** What the log says of a claim that nobody takes back. */
export const CLAIM_LEFT = 'the start of the instance broke off: requests wait for it, up to 10 s';

const LOOK_AGAIN_MS = 100;

interface Entry {
  readonly plugin: ConfiguredPlugin;
  /** Set once the server has started it; until then the entry is a claim that others wait for. */
  id?: number;
  readonly settled: Promise<void>;
  settle: () => void;
}

/**
 * The instances that a Kong worker remembers: one per configured plugin, started at its first event by whichever
 * request comes first, while the others wait.
 */
export class Instances {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly commands: InstanceCommands,
    private readonly claimTimeoutMs: number,
  ) {}

  /**
   * The id of the plugin's instance, started if there is none or its configuration has changed; after a change
   * the old one is closed once the new one has started.
   *
   * @throws RpcError what starting it threw, or `NOT_CLAIMED`
   */
  async idFor(plugin: ConfiguredPlugin): Promise<number> {
    const key = entityKey(plugin);
    const deadline = Date.now() + this.claimTimeoutMs;
    let known = this.entries.get(key);
    while (known && known.id === undefined) {
      const patience = deadline - Date.now();
      if (patience <= 0) {
        this.entries.delete(key);
        throw new RpcError('NOT_CLAIMED', `Could not claim instance_id for ${plugin.name} (key: ${key})`);
      }
      // Kong only looks again and again: the claim may have been replaced by a start that had begun before it.
      await settledWithin(known.settled, Math.min(LOOK_AGAIN_MS, patience));
      known = this.entries.get(key);
    }
    // Nothing may be awaited from here to the claim: another request would claim as well.
    if (known?.id !== undefined && known.plugin.key === plugin.key) return known.id;
    const claim = newClaim(plugin);
    this.entries.set(key, claim);
    try {
      claim.id = await this.commands.start(plugin);
    } catch (error) {
      // Where Kong's start is thrown out of, it never takes its claim back: the next request waits for nothing.
      const leavesClaim = error instanceof RpcError && error.isThrown;
      if (leavesClaim) {
        this.commands.leftClaim(plugin);
      } else {
        if (this.entries.get(key) === claim) this.entries.delete(key);
        claim.settle();
      }
      throw error;
    }
    this.entries.set(key, claim);
    claim.settle();
    if (known?.id !== undefined) await this.commands.close(known.plugin, known.id);
    return claim.id;
  }

  /** Forgets all instances of the plugin of this name, whatever they were configured with. */
  forget(pluginName: string): void {
    for (const [key, entry] of this.entries) {
      if (entry.plugin.name !== pluginName) continue;
      this.entries.delete(key);
      entry.settle();
    }
  }
}

/** Stays the same over changes of the configuration, where `plugin.key` does not. */
function entityKey(plugin: ConfiguredPlugin): string {
  const key = plugin.config.__key__;
  return typeof key === 'string' ? key : plugin.key;
}

function newClaim(plugin: ConfiguredPlugin): Entry {
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { plugin, settled, settle };
}

function settledWithin(settled: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void settled.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
