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

type FilterPhase = 'header_filter' | 'body_filter';

/**
 * Runs one phase of the plugins that have it, one after the other.
 *
 * @returns whether the request goes on; otherwise `exchange.exit` holds the response
 * @throws {PluginEventError} a plugin failed: 500, and no further plugin runs
 */
export async function runPhase(
  phase: 'rewrite' | 'response',
  plugins: readonly PlannedPlugin[],
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<boolean> {
  exchange.observer?.phaseStarted(phase);
  try {
    for (const plugin of plugins) {
      if (hasPhase(plugin, phase)) {
        await runEvent(phase, plugin, exchange, node, callers);
        if (exchange.exit !== undefined) {
          return false;
        }
      }
    }
    return true;
  } finally {
    exchange.observer?.phaseEnded(phase);
  }
}

/**
 * Runs `access`, where a plugin may name the consumer: those behind it run as they are configured for that one.
 *
 * @returns the plugins as they were chosen, for the phases that follow, and whether the request goes on
 */
export async function runAccess(
  choices: readonly PluginChoice[],
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<{ plugins: PlannedPlugin[]; goesOn: boolean }> {
  const plugins: PlannedPlugin[] = [];
  exchange.observer?.phaseStarted('access');
  try {
    for (const choice of choices) {
      const plugin = choose(choice, exchange.consumerId);
      if (plugin === undefined) continue;
      plugins.push(plugin);
      if (exchange.exit === undefined && plugin.kind.phases.includes('access')) {
        await runEvent('access', plugin, exchange, node, callers);
      }
    }
    return { plugins, goesOn: exchange.exit === undefined };
  } finally {
    exchange.observer?.phaseEnded('access');
  }
}

/** The functions of Lua plugins that see the response on its way out; undefined without any. */
export function responseFilters(
  plugins: readonly PlannedPlugin[],
  exchange: Exchange,
  node: GatewayNode,
  lua: LuaFunctions,
): ResponseFilters | undefined {
  const having = (phase: FilterPhase) =>
    plugins.filter((plugin) => plugin.kind.runsIn === 'lua' && lua.has(plugin, phase));
  const [heads, bodies] = [having('header_filter'), having('body_filter')];
  if (heads.length + bodies.length === 0) return undefined;
  const run = (phase: FilterPhase, plugin: PlannedPlugin) => {
    try {
      lua.runNow(plugin, phase, new EventHost(new HostContext(exchange, phase, plugin.name, node)));
    } catch (error) {
      throw new ResponseFilterError((error as Error).message, { cause: error });
    }
  };
  return {
    head: () => {
      for (const plugin of heads) run('header_filter', plugin);
      // Whatever it is going to be: the length is not known before.
      if (bodies.length > 0) exchange.responseHeaders.remove('content-length');
    },
    body:
      bodies.length === 0
        ? undefined
        : (body) => {
            exchange.filteredBody = body.toString('latin1');
            for (const plugin of bodies) run('body_filter', plugin);
            return Buffer.from(exchange.filteredBody, 'latin1');
          },
  };
}

/** Functions in Lua have the phases that the configuration gives them; all others would do nothing. */
function hasPhase({ kind, config }: PlannedPlugin, phase: Phase): boolean {
  if (!kind.phases.includes(phase)) return false;
  const functions = config[phase];
  return kind.runsIn !== 'lua' || (Array.isArray(functions) && functions.length > 0);
}

/** Runs the log phase. The client has its answer: a plugin that fails is logged, the others still run. */
export async function runLogPhase(
  plugins: readonly PlannedPlugin[],
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<void> {
  exchange.observer?.phaseStarted('log');
  for (const plugin of plugins) {
    if (hasPhase(plugin, 'log')) {
      try {
        await runEvent('log', plugin, exchange, node, callers);
      } catch (error) {
        node.log('error', `[kong] [${plugin.name}] ${(error as Error).message}, context: ngx.timer`);
      }
    }
  }
  exchange.observer?.phaseEnded('log');
}

async function runEvent(
  phase: Phase & ('rewrite' | 'access' | 'response' | 'log'),
  plugin: PlannedPlugin,
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<void> {
  const host = new EventHost(new HostContext(exchange, phase, plugin.name, node));
  const caller = callers[plugin.kind.runsIn];
  const observer = exchange.observer?.runStarted(plugin, phase);
  try {
    if (observer === undefined) {
      await caller.handleEvent({ plugin, phase, host });
    } else {
      const watched = new ObservedHost(host, observer);
      observer.ended(await caller.handleEvent({ plugin, phase, host: watched, observer }));
    }
  } catch (error) {
    observer?.ended('failed', error);
    if (error instanceof PluginEventError) {
      throw error;
    }
    throw new PluginEventError(`${plugin.name}: ${(error as Error).message}`, { cause: error });
  }
}
