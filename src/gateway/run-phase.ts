import type { Phase } from '../plugin/definition.js';
import type { Exchange } from './exchange.js';
import { type GatewayNode, HostContext } from './host/context.js';
import { EventHost } from './host/pdk-host.js';
import type { PlannedPlugin } from './plan.js';
import { type PluginCaller, PluginEventError } from './plugin-port.js';

/** Both places where plugins run. */
export interface PluginCallers {
  readonly server: PluginCaller;
  readonly lua: PluginCaller;
}

/**
 * Runs one phase of the plugins that have it, one after the other.
 *
 * @returns whether the request goes on; otherwise `exchange.exit` holds the response
 * @throws {PluginEventError} a plugin failed: 500, and no further plugin runs
 */
export async function runPhase(
  phase: 'rewrite' | 'access' | 'response',
  plugins: readonly PlannedPlugin[],
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<boolean> {
  for (const plugin of plugins) {
    if (plugin.kind.phases.includes(phase)) {
      await runEvent(phase, plugin, exchange, node, callers);
      if (exchange.exit !== undefined) {
        return false;
      }
    }
  }
  return true;
}

/** Runs the log phase. The client has its answer: a plugin that fails is logged, the others still run. */
export async function runLogPhase(
  plugins: readonly PlannedPlugin[],
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<void> {
  for (const plugin of plugins) {
    if (plugin.kind.phases.includes('log')) {
      try {
        await runEvent('log', plugin, exchange, node, callers);
      } catch (error) {
        node.log('error', `[kong] [${plugin.name}] ${(error as Error).message}, context: ngx.timer`);
      }
    }
  }
}

async function runEvent(
  phase: Phase & ('rewrite' | 'access' | 'response' | 'log'),
  plugin: PlannedPlugin,
  exchange: Exchange,
  node: GatewayNode,
  callers: PluginCallers,
): Promise<void> {
  const host = new EventHost(new HostContext(exchange, phase, plugin.name, node));
  try {
    await callers[plugin.kind.runsIn].handleEvent({ plugin, phase, host });
  } catch (error) {
    if (error instanceof PluginEventError) {
      throw error;
    }
    throw new PluginEventError(`${plugin.name}: ${(error as Error).message}`, { cause: error });
  }
}
