import type { GatewayConfig } from '../gateway/config/entities.js';
import { maskedValue } from './masking.js';
import { type Shown, valueText } from './outgoing.js';
import type { ExchangeRecord, RecordedValue } from './record.js';

/** What the page knows of a plugin beforehand. */
export interface InspectedPlugin {
  readonly name: string;
  readonly priority: number;
  readonly phases: readonly string[];
  /** The fields of its configuration, as Kong has them. */
  readonly schema: unknown;
}

export interface PluginStatistics extends Omit<InspectedPlugin, 'schema'> {
  readonly schema: string;
  /** Its entities in the configuration, and the instances of the plugin server's that ran for them. */
  readonly entities: readonly {
    readonly id: string;
    readonly on: string;
    readonly enabled: boolean;
    readonly instances: readonly number[];
    readonly config: readonly (Shown & { readonly name: string })[];
  }[];
  /** Events of the exchanges that are kept. */
  readonly events: number;
  /** Of the last ten seconds. */
  readonly eventsPerSecond: number;
  /** Milliseconds that half of the events took at most, and 99 of 100. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly outcomes: Readonly<Record<string, number>>;
}

const WINDOW_MS = 10_000;

/** Plugins in Kong's order, with what the kept exchanges tell of them. */
export function pluginStatistics(
  plugins: readonly InspectedPlugin[],
  config: GatewayConfig,
  records: Iterable<ExchangeRecord>,
): PluginStatistics[] {
  const seen = new Map(plugins.map(({ name }) => [name, new Seen()]));
  for (const record of records) {
    for (const run of record.runs) seen.get(run.plugin)?.add(record, run);
  }
  return [...plugins]
    .sort((a, b) => b.priority - a.priority)
    .map(({ name, priority, phases, schema }) => {
      const { took, recent, outcomes, instances } = seen.get(name) as Seen;
      took.sort((a, b) => a - b);
      return {
        name,
        priority,
        phases,
        schema: JSON.stringify(schema, undefined, 2),
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
        events: took.length,
        eventsPerSecond: recent / (WINDOW_MS / 1000),
        p50: took[Math.floor(took.length * 0.5)],
        p99: took[Math.floor(took.length * 0.99)],
        outcomes,
      };
    });
}

class Seen {
  readonly took: number[] = [];
  readonly outcomes: Record<string, number> = {};
  readonly instances = new Map<string, Set<number>>();
  recent = 0;

  add(record: ExchangeRecord, run: ExchangeRecord['runs'][number]): void {
    this.outcomes[run.outcome] = (this.outcomes[run.outcome] ?? 0) + 1;
    if (run.endedAt !== undefined) this.took.push(run.endedAt - run.startedAt);
    if (record.startedAt + run.startedAt > Date.now() - WINDOW_MS) this.recent += 1;
    if (run.entityId === undefined || run.instanceId === undefined) return;
    const ids = this.instances.get(run.entityId) ?? new Set();
    this.instances.set(run.entityId, ids.add(run.instanceId));
  }
}

function placeOf({ route, service, consumer }: GatewayConfig['plugins'][number]): string {
  const places = [
    route && `route ${route.name ?? route.id}`,
    service && `service ${service.name ?? service.id}`,
    consumer && `consumer ${consumer.username ?? consumer.id}`,
  ].filter((place) => place !== undefined);
  return places.length === 0 ? 'every request' : places.join(', ');
}
