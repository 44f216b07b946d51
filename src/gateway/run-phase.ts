import { PluginServerError } from '../errors.js';
import type { Phase } from '../plugin/definition.js';
import type { Exchange, ResponseFilters } from './exchange.js';
import { type GatewayNode, HostContext } from './host/context.js';
import { EventHost } from './host/pdk-host.js';
import type { LuaFunctions } from './lua/lua-functions.js';
import { ObservedHost } from './observer.js';
import { choose, type PlannedPlugin, type PluginChoice } from './plan.js';
import { type PluginCaller, PluginEventError } from './plugin-port.js';

/** Both places where plugins run. */
export interface PluginCallers {
  readonly server: PluginCaller;
  readonly lua: LuaFunctions;
}

/** A function for `header_filter` or `body_filter` failed: nginx closes the connection without a response. */
export class ResponseFilterError extends PluginServerError {
  constructor(message: string, options: ErrorOptions) {
    super('RESPONSE_FILTER_FAILED', message, options);
  }
}

type RunPhase = Phase & ('rewrite' | 'access' | 'response' | 'log');

/** Runs the plugins of one request, phase by phase. */
export class PluginRunner {
  #plugins: readonly PlannedPlugin[] = [];

  constructor(
    private readonly exchange: Exchange,
    private readonly node: GatewayNode,
    private readonly callers: PluginCallers,
  ) {}

  /** Those that apply, as far as is known by now; with their functions that see the response on its way out. */
  get plugins(): readonly PlannedPlugin[] {
    return this.#plugins;
  }

  set plugins(plugins: readonly PlannedPlugin[]) {
    this.#plugins = plugins;
    this.exchange.filters = this.#filters();
  }

  /**
   * Runs one phase of the plugins that have it, one after the other.
   *
   * @returns whether the request goes on; otherwise `exchange.exit` holds the response
   * @throws {PluginEventError} a plugin failed: 500, and no further plugin runs
   */
  async run(phase: 'rewrite' | 'response'): Promise<boolean> {
    return this.#watched(phase, async () => {
      for (const plugin of this.plugins) {
        if (hasPhase(plugin, phase)) await this.#event(phase, plugin);
        if (this.exchange.exit !== undefined) return false;
      }
      return true;
    });
  }

  /**
   * Runs `access`, where a plugin may name the consumer: those behind it run as they are configured for that one, here
   * and in the phases that follow.
   */
  async access(choices: readonly PluginChoice[]): Promise<boolean> {
    const { exchange } = this;
    return this.#watched('access', async () => {
      const plugins: PlannedPlugin[] = [];
      for (const choice of choices) {
        const plugin = choose(choice, exchange.consumerId);
        if (plugin === undefined) continue;
        plugins.push(plugin);
        if (exchange.exit === undefined && plugin.kind.phases.includes('access')) {
          await this.#event('access', plugin);
        }
      }
      this.plugins = plugins;
      return exchange.exit === undefined;
    });
  }

  /** Runs the log phase. The client has its answer: a plugin that fails is logged, the others still run. */
  async log(): Promise<void> {
    await this.#watched('log', async () => {
      for (const plugin of this.plugins.filter((one) => hasPhase(one, 'log'))) {
        try {
          await this.#event('log', plugin);
        } catch (error) {
          this.node.log('error', `[kong] [${plugin.name}] ${(error as Error).message}, context: ngx.timer`);
        }
      }
    });
  }

  async #watched<T>(phase: RunPhase, work: () => Promise<T>): Promise<T> {
    const { observer } = this.exchange;
    observer?.phaseStarted(phase);
    try {
      return await work();
    } finally {
      observer?.phaseEnded(phase);
    }
  }

  async #event(phase: RunPhase, plugin: PlannedPlugin): Promise<void> {
    const host = new EventHost(new HostContext(this.exchange, phase, plugin.name, this.node));
    const caller = this.callers[plugin.kind.runsIn];
    const observer = this.exchange.observer?.runStarted(plugin, phase);
    try {
      if (observer === undefined) {
        await caller.handleEvent({ plugin, phase, host });
      } else {
        const watched = new ObservedHost(host, observer);
        observer.ended(await caller.handleEvent({ plugin, phase, host: watched, observer }));
      }
    } catch (error) {
      observer?.ended('failed', error);
      if (error instanceof PluginEventError) throw error;
      throw new PluginEventError(`${plugin.name}: ${(error as Error).message}`, { cause: error });
    }
  }

  #filters(): ResponseFilters | undefined {
    const { exchange, node, callers } = this;
    const having = (phase: 'header_filter' | 'body_filter') =>
      this.plugins.filter((plugin) => plugin.kind.runsIn === 'lua' && callers.lua.has(plugin, phase));
    const [heads, bodies] = [having('header_filter'), having('body_filter')];
    if (heads.length + bodies.length === 0) return undefined;
    const run = (phase: 'header_filter' | 'body_filter', plugin: PlannedPlugin) => {
      try {
        callers.lua.runNow(plugin, phase, new EventHost(new HostContext(exchange, phase, plugin.name, node)));
      } catch (error) {
        throw new ResponseFilterError((error as Error).message, { cause: error });
      }
    };
    const body = (whole: Buffer) => {
      exchange.filteredBody = whole.toString('latin1');
      for (const plugin of bodies) run('body_filter', plugin);
      return Buffer.from(exchange.filteredBody, 'latin1');
    };
    return {
      head: () => {
        for (const plugin of heads) run('header_filter', plugin);
        // Whatever it is going to be: the length is not known before.
        if (bodies.length > 0) exchange.responseHeaders.remove('content-length');
      },
      body: bodies.length === 0 ? undefined : body,
    };
  }
}

/** Functions in Lua have the phases that the configuration gives them; all others would do nothing. */
function hasPhase({ kind, config }: PlannedPlugin, phase: Phase): boolean {
  if (!kind.phases.includes(phase)) return false;
  const functions = config[phase];
  return kind.runsIn !== 'lua' || (Array.isArray(functions) && functions.length > 0);
}
