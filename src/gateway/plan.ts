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

/** A plugin by name, with those of its entities that may apply. */
export interface PluginChoice {
  readonly kind: PluginKind;
  /** The most specific first. */
  readonly candidates: readonly Candidate[];
}

interface Candidate {
  readonly entity: PluginEntity;
  readonly planned: PlannedPlugin;
}

/** How Kong looks a plugin's entity up: by all three scopes, and then by fewer and fewer. */
const LOOKUPS: readonly (readonly ('route' | 'service' | 'consumer')[])[] = [
  ['route', 'service', 'consumer'],
  ['route', 'consumer'],
  ['service', 'consumer'],
  ['route', 'service'],
  ['consumer'],
  ['route'],
  ['service'],
  [],
];

/**
 * Which plugins run for a request, in Kong's order: higher priority first, and of several entities of one plugin
 * only the most specific. Which that is can change while `access` runs, once a plugin has named the consumer.
 */
export class PluginPlan {
  readonly #choices: readonly PluginChoice[];

  /** @param generation counts the configs of this gateway; it becomes `__seq__` and part of every key */
  constructor(config: GatewayConfig, catalog: PluginCatalog, generation: number) {
    const byName = new Map<string, Candidate[]>();
    for (const entity of config.plugins) {
      const kind = catalog.get(entity.name);
      // A plugin for https runs on http as well: Kong tells apart HTTP and streams only.
      const { enabled, protocols } = entity;
      if (kind === undefined || !enabled || !protocols.some((name) => /^(http|grpc)s?$/.test(name))) continue;
      const planned = plan(entity, kind, generation);
      byName.set(entity.name, [...(byName.get(entity.name) ?? []), { entity, planned }]);
    }
    this.#choices = [...byName.values()]
      .map((candidates) => ({
        kind: (candidates[0] as Candidate).planned.kind,
        candidates: candidates.sort((a, b) => rank(a.entity) - rank(b.entity)),
      }))
      .sort(byPriority);
  }

  /** What runs before a route is known, and where none matched: the global plugins. */
  global(): PlannedPlugin[] {
    return chosen(this.#choices, undefined, undefined, undefined);
  }

  /** The plugins that have an entity for this route and service, whoever the consumer is going to be. */
  choices(route: Route, service: Service | undefined): PluginChoice[] {
    return this.#choices.flatMap(({ kind, candidates }) => {
      const left = candidates.filter(
        ({ entity }) =>
          (entity.route === undefined || entity.route.id === route.id) &&
          (entity.service === undefined || entity.service.id === service?.id),
      );
      return left.length === 0 ? [] : [{ kind, candidates: left }];
    });
  }

  /** {@link choices}, decided for a consumer's id, or for nobody. */
  forRequest(route: Route, service: Service | undefined, consumer?: string): PlannedPlugin[] {
    return chosen(this.choices(route, service), route, service, consumer);
  }
}

function chosen(
  choices: readonly PluginChoice[],
  route: Route | undefined,
  service: Service | undefined,
  consumer: string | undefined,
): PlannedPlugin[] {
  return choices.flatMap(({ kind, candidates }) => {
    const left = candidates.filter(
      ({ entity }) => (route !== undefined || !entity.route) && (service !== undefined || !entity.service),
    );
    return choose({ kind, candidates: left }, consumer) ?? [];
  });
}

/** The entity of a plugin that runs for a consumer, or for nobody. */
export function choose(
  { candidates }: PluginChoice,
  consumer: string | undefined,
): PlannedPlugin | undefined {
  return candidates.find(({ entity }) => entity.consumer === undefined || entity.consumer.id === consumer)
    ?.planned;
}

function rank(entity: PluginEntity): number {
  const scopes = (['route', 'service', 'consumer'] as const).filter((scope) => entity[scope] !== undefined);
  return LOOKUPS.findIndex(
    (lookup) => lookup.length === scopes.length && lookup.every((scope) => scopes.includes(scope)),
  );
}

/** Equal priorities run in descending order of name, as in Kong. */
function byPriority(a: PluginChoice, b: PluginChoice): number {
  return b.kind.priority - a.kind.priority || (a.kind.name < b.kind.name ? 1 : -1);
}

function plan(entity: PluginEntity, kind: PluginKind, generation: number): PlannedPlugin {
  const scopes = [entity.route?.id ?? '', entity.service?.id ?? '', entity.consumer?.id ?? '', ''];
  const key = `plugins:${entity.name}:${scopes.join(':')}:${WORKSPACE_ID}`;
  const config: Record<string, unknown> = {
    ...entity.config,
    __key__: key,
    __plugin_id: entity.id,
    __seq__: generation,
    __ws_id: WORKSPACE_ID,
  };
  if (entity.route !== undefined) config.route_id = entity.route.id;
  if (entity.service !== undefined) config.service_id = entity.service.id;
  if (entity.consumer !== undefined) config.consumer_id = entity.consumer.id;
  if (entity.instance_name !== undefined) config.plugin_instance_name = entity.instance_name;
  return { key: `${key}#${generation}`, name: entity.name, config, kind };
}
