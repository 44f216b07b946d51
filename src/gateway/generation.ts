import type { Balancer } from './balancer.js';
import type { GatewayNode } from './host/context.js';
import type { LuaFunctions } from './lua/lua-functions.js';
import type { PluginPlan } from './plan.js';
import type { Router } from './router/router.js';

/** What one config means to requests. */
export interface Generation {
  readonly node: GatewayNode;
  readonly router: Router;
  readonly balancer: Balancer;
  readonly plan: PluginPlan;
  readonly lua: LuaFunctions;
}
