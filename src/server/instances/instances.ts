import { placeOf } from '../../own-code.js';
import type { PluginConfig, PluginDefinition, PluginObject } from '../../plugin/definition.js';
import { configPath, findConfigProblems, type ValidationContext } from '../../plugin/validate.js';
import { CommandRefused, describeError } from '../errors.js';
import type { Log } from '../log.js';

/** A started plugin: one per plugin configuration and nginx worker. */
export interface Instance {
  readonly id: number;
  readonly plugin: PluginDefinition;
  readonly config: PluginConfig;
  /** Without any handler while the plugin cannot work with its configuration. */
  object: PluginObject;
  /** Why it cannot: its events end with 500 and say so in Kong's log, where an operator looks. */
  refusal: string | undefined;
  /** When it was last constructed, Unix milliseconds. */
  triedAt: number;
  /** Unix milliseconds. */
  readonly startedAt: number;
  lastUsedAt: number;
}

/** The instances of one process, by id. */
export class InstanceStore {
  private readonly plugins: ReadonlyMap<string, PluginDefinition>;
  private readonly log: Log;
  private readonly context: ValidationContext;
  private readonly instances = new Map<number, Instance>();

  constructor(plugins: readonly PluginDefinition[], log: Log, context: ValidationContext = {}) {
    this.context = context;
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
   * Constructs the plugin. Where it does not take its configuration the instance is there all the same, refusing: Kong
   * would show nothing of a refused start at its default log level.
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
    const made = this.construct(plugin, config);
    const instance: Instance = { id, plugin, config, ...made, triedAt: now, startedAt: now, lastUsedAt: now };
    this.instances.set(id, instance);
    if (made.refusal === undefined) this.log.info(`${name} #${id}: instance started`);
    else this.log.error(`instance not started: ${made.refusal}`);
    return instance;
  }

  /** Constructs a refusing instance again: what was missing, a file for instance, may be there by now. */
  retry(instance: Instance, now: number): void {
    instance.triedAt = now;
    const { object, refusal } = this.construct(instance.plugin, instance.config);
    instance.object = object;
    instance.refusal = refusal;
    if (refusal === undefined) this.log.notice(`${instance.plugin.name} #${instance.id}: instance started`);
  }

  private construct(plugin: PluginDefinition, config: PluginConfig): Pick<Instance, 'object' | 'refusal'> {
    const problems = findConfigProblems(plugin, config, this.context);
    const said = problems.map(({ path, message, position }) => {
      const place = position === undefined ? '' : `:${position.line}:${position.column}`;
      return `${configPath(path)}${place}: ${message}`;
    });
    if (said.length > 0) return refusing(`plugin "${plugin.name}": ${said.join('; ')}`);
    try {
      return { object: new plugin.Plugin(config as never), refusal: undefined };
    } catch (cause) {
      return refusing(`plugin "${plugin.name}": ${describeError(cause)}${placeOf(cause)}`);
    }
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

function refusing(refusal: string): Pick<Instance, 'object' | 'refusal'> {
  return { object: {}, refusal };
}

function parseConfig(name: string, text: string): PluginConfig {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    // V8 quotes the text around the fault in its message, and a configuration may hold secrets.
    throw new CommandRefused('START_REFUSED', `plugin "${name}": the configuration is not valid JSON`);
  }
  // An empty configuration is an empty table in Lua, which has no way to tell a list from a map.
  if (Array.isArray(config) && config.length === 0) return {};
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new CommandRefused('START_REFUSED', `plugin "${name}": the configuration is not a JSON object`);
  }
  return config as PluginConfig;
}
