import type { GatewayConfig } from '../gateway/config/entities.js';
import type { EventFigures, ServerFigures } from './event-figures.js';
import { maskedValue } from './masking.js';
import { valueText } from './outgoing.js';
import type { ExchangeRecord, RecordedValue } from './record.js';

/** What the page knows of a plugin beforehand. */
export interface InspectedPlugin {
  readonly name: string;
  readonly priority: number;
  readonly phases: readonly string[];
  /** The fields of its configuration, as Kong has them. */
  readonly schema: unknown;
}

/** A plugin as the page shows it. */
export interface PluginView extends Omit<InspectedPlugin, 'schema'> {
  readonly schema: string;
  /** undefined: the plugin server cannot be asked. */
  readonly figures: EventFigures | undefined;
  /** Its entities in the configuration, and the instances of the plugin server's that ran for them lately. */
  readonly entities: readonly {
    readonly id: string;
    readonly on: string;
    readonly enabled: boolean;
    readonly instances: readonly number[];
    readonly config: readonly { readonly name: string; readonly text: string }[];
  }[];
}

const NO_EVENTS: EventFigures = {
  events: 0,
  outcomes: {},
  eventsPerSecond: 0,
  p50: undefined,
  p99: undefined,
};

/** Plugins in Kong's order. Credentials in their configurations are masked. */
export function pluginViews(
  plugins: readonly InspectedPlugin[],
  config: GatewayConfig,
  records: Iterable<ExchangeRecord>,
  figures: ServerFigures | undefined,
): PluginView[] {
  const instances = new Map<string, Set<number>>();
  for (const { runs } of records) {
    for (const { entityId, instanceId } of runs) {
      if (entityId === undefined || instanceId === undefined) continue;
      instances.set(entityId, (instances.get(entityId) ?? new Set()).add(instanceId));
    }
  }
  return [...plugins]
    .sort((a, b) => b.priority - a.priority)
    .map(({ name, priority, phases, schema }) => ({
      name,
      priority,
      phases,
      schema: JSON.stringify(schema, undefined, 2),
      figures: figures && (figures.plugins.get(name) ?? NO_EVENTS),
      entities: config.plugins
        .filter((entity) => entity.name === name)
        .map((entity) => ({
          id: entity.id,
          on: placeOf(entity),
          enabled: entity.enabled,
          instances: [...(instances.get(entity.id) ?? [])],
          config: Object.entries(entity.config).map(([field, value]) => ({
            name: field,
            text: valueText(maskedValue(value as RecordedValue, field)),
          })),
        })),
    }));
}

function placeOf({ route, service, consumer }: GatewayConfig['plugins'][number]): string {
  const places = [
    route && `route ${route.name ?? route.id}`,
    service && `service ${service.name ?? service.id}`,
    consumer && `consumer ${consumer.username ?? consumer.id}`,
  ].filter((place) => place !== undefined);
  return places.length === 0 ? 'every request' : places.join(', ');
}
