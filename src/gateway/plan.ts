import type { PluginCatalog, PluginKind } from './config/catalog.js';
import {
  type GatewayConfig,
  type PluginEntity,
  type Route,
  type Service,
  WORKSPACE_ID,
} from './config/entities.js';
import type { ConfiguredPlugin } from './plugin-port.js';

/** A plugin that applies to a request. */
export interface PlannedPlugin extends ConfiguredPlugin {
  readonly kind: PluginKind;
}

/**
 * Which plugins run for a request, in Kong's order: higher priority first, and of several entities of one plugin
 * only the most specific.
 */
export class PluginPlan {
  readonly #planned: readonly { entity: PluginEntity; planned: PlannedPlugin }[];

  /** @param generation counts the configs of this gateway; it becomes `__seq__` and part of every key */
  constructor(config: GatewayConfig, catalog: PluginCatalog, generation: number) {
    this.#planned = config.plugins
      .filter(({ enabled, protocols }) => enabled && (protocols.length === 0 || protocols.includes('http')))
      .flatMap((entity) => {
        const kind = catalog.get(entity.name);
        return kind === undefined ? [] : [{ entity, planned: plan(entity, kind, generation) }];
      });
  }

  /** What runs before a route is known, and where none matched: the global plugins. */
  global(): PlannedPlugin[] {
    return this.#choose(({ route, service }) => route === undefined && service === undefined);
  }

  forRequest(route: Route, service: Service | undefined): PlannedPlugin[] {
    return this.#choose(
      (entity) =>
        (entity.route === undefined || entity.route.id === route.id) &&
        (entity.service === undefined || entity.service.id === service?.id),
    );
  }

  #choose(applies: (entity: PluginEntity) => boolean): PlannedPlugin[] {
    const best = new Map<string, { entity: PluginEntity; planned: PlannedPlugin }>();
    for (const candidate of this.#planned) {
      const before = best.get(candidate.entity.name);
      if (
        applies(candidate.entity) &&
        (before === undefined || specificity(candidate.entity) > specificity(before.entity))
      ) {
        best.set(candidate.entity.name, candidate);
      }
    }
    return [...best.values()].map(({ planned }) => planned).sort(byPriority);
  }
}

function specificity({ route, service }: PluginEntity): number {
  return (route === undefined ? 0 : 2) + (service === undefined ? 0 : 1);
}

/** Equal priorities run in descending order of name, as in Kong. */
function byPriority(a: PlannedPlugin, b: PlannedPlugin): number {
  return b.kind.priority - a.kind.priority || (a.name < b.name ? 1 : -1);
}

function plan(entity: PluginEntity, kind: PluginKind, generation: number): PlannedPlugin {
  const scopes = [entity.route?.id ?? '', entity.service?.id ?? '', '', ''];
  const key = `plugins:${entity.name}:${scopes.join(':')}:${WORKSPACE_ID}`;
  const config: Record<string, unknown> = {
    ...entity.config,
    __key__: key,
    __plugin_id: entity.id,
    __seq__: generation,
    __ws_id: WORKSPACE_ID,
  };
  if (entity.route !== undefined) {
    config.route_id = entity.route.id;
  }
  if (entity.service !== undefined) {
    config.service_id = entity.service.id;
  }
  return { key: `${key}#${generation}`, name: entity.name, config, kind };
}
