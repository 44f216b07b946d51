import type { PluginConfig, PluginDefinition, PluginObject } from '../../plugin/definition.js';
import { CommandRefused, describeError } from '../errors.js';
import type { Log } from '../log.js';

/** A started plugin: one per plugin configuration and nginx worker. */
export interface Instance {
  readonly id: number;
  readonly plugin: PluginDefinition;
  readonly config: PluginConfig;
  readonly object: PluginObject;
  /** Unix milliseconds. */
  readonly startedAt: number;
  lastUsedAt: number;
}

/** The instances of one process, by id. */
export class InstanceStore {
  private readonly plugins: ReadonlyMap<string, PluginDefinition>;
  private readonly log: Log;
  private readonly instances = new Map<number, Instance>();

  constructor(plugins: readonly PluginDefinition[], log: Log) {
    this.plugins = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    this.log = log;
  }

  get size(): number {
    return this.instances.size;
  }

  get(id: number): Instance | undefined {
    return this.instances.get(id);
  }

  all(): IterableIterator<Instance> {
    return this.instances.values();
  }

  /**
   * Constructs the plugin.
   *
   * @param configText the configuration as Kong sends it: a JSON object
   * @throws CommandRefused `START_REFUSED`
   */
  start(id: number, name: string, configText: string, now: number): Instance {
    const plugin = this.plugins.get(name);
    if (plugin === undefined) {
      throw new CommandRefused('START_REFUSED', `plugin "${name}": not served here`);
    }
    const config = parseConfig(name, configText);
    let object: PluginObject;
    try {
      object = new plugin.Plugin(config as never);
    } catch (cause) {
      throw new CommandRefused('START_REFUSED', `plugin "${name}": ${describeError(cause)}`, { cause });
    }
    const instance: Instance = { id, plugin, config, object, startedAt: now, lastUsedAt: now };
    this.instances.set(id, instance);
    this.log.info(`${name} #${id}: instance started`);
    return instance;
  }

  /** Forgets an instance and calls its `close` method, if any. Resolves when that has ended; it never rejects. */
  async close(id: number, reason = 'closed'): Promise<void> {
    const instance = this.instances.get(id);
    if (instance === undefined) return;
    this.instances.delete(id);
    this.log.info(`${instance.plugin.name} #${id}: instance ${reason}`);
    await this.tellClosed(instance);
  }

  /** Closes what was last used before `since`, Unix milliseconds: Kong never closes what it has forgotten. */
  expire(since: number): void {
    for (const instance of this.instances.values()) {
      if (instance.lastUsedAt < since) void this.close(instance.id, 'expired');
    }
  }

  private async tellClosed(instance: Instance): Promise<void> {
    try {
      await instance.object.close?.();
    } catch (error) {
      this.log.error(`${instance.plugin.name} #${instance.id}: close threw: ${describeError(error)}`);
    }
  }
}

function parseConfig(name: string, text: string): PluginConfig {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    // V8 quotes the text around the fault in its message, and a configuration may hold secrets.
    throw new CommandRefused('START_REFUSED', `plugin "${name}": the configuration is not valid JSON`, {
      cause,
    });
  }
  // An empty configuration is an empty table in Lua, which has no way to tell a list from a map.
  if (Array.isArray(config) && config.length === 0) return {};
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new CommandRefused('START_REFUSED', `plugin "${name}": the configuration is not a JSON object`);
  }
  return config as PluginConfig;
}
