import type { EntityCheck, Phase, PluginDefinition, SchemaField } from './definition.js';

/** What Kong wants to know about a plugin, in Kong's spelling. */
export interface PluginInfo {
  readonly Name: string;
  readonly Version: string;
  readonly Priority: number;
  readonly Phases: readonly Phase[];
  readonly Schema: {
    readonly name: string;
    readonly fields: readonly [
      {
        readonly config: {
          readonly type: 'record';
          readonly fields: readonly SchemaField[];
          readonly entity_checks?: readonly EntityCheck[];
        };
      },
      ...NoConsumer[],
    ];
  };
}

/** As Kong's own plugins say that they cannot be configured for a consumer. */
interface NoConsumer {
  readonly consumer: { readonly type: 'foreign'; readonly reference: 'consumers'; readonly eq: null };
}

const NO_CONSUMER: NoConsumer = { consumer: { type: 'foreign', reference: 'consumers', eq: null } };

export interface DumpOptions {
  /** With `MsgPack:1`, Kong lets requests through when the plugin server fails. */
  readonly protocol: 'ProtoBuf:1' | 'MsgPack:1';
  /** The path of the server's socket. Kong goes by its own configuration and ignores it. */
  readonly socket: string;
  /** Leaves in the schemas what is only for their readers; see {@link dump}. */
  readonly descriptions?: boolean;
}

/** The entry of one plugin in the dump; plain JSON values. */
export function pluginInfo(definition: PluginDefinition): PluginInfo {
  const { name, version, priority, phases, schema, entityChecks, noConsumer } = definition;
  const checks = entityChecks === undefined ? {} : { entity_checks: entityChecks };
  return {
    Name: name,
    Version: version,
    Priority: priority,
    Phases: phases,
    Schema: {
      name,
      fields: [
        { config: { type: 'record', fields: schema, ...checks } },
        ...(noConsumer ? [NO_CONSUMER] : []),
      ],
    },
  };
}

/**
 * The JSON text that Kong's `pluginserver_…_query_cmd` must print, without a newline. Kong takes a bare array for
 * `MsgPack:1`. Since Kong 3.9 only the first plugin of a dump is loaded. Kong before 3.4 does not start with a schema
 * that has descriptions, examples or notes of deprecation, so these are left out unless they are asked for.
 */
export function dump(definitions: readonly PluginDefinition[], options: DumpOptions): string {
  const infos = definitions.map(pluginInfo);
  const plugins = options.descriptions === true ? infos : infos.map(withoutNotes);
  if (options.protocol === 'MsgPack:1') return JSON.stringify(plugins);
  return JSON.stringify({ Protocol: options.protocol, Socket: options.socket, Plugins: plugins });
}

const NOTES: ReadonlySet<string> = new Set(['description', 'examples', 'deprecation']);

function withoutNotes(info: PluginInfo): object {
  const { Schema } = info;
  return { ...info, Schema: { ...Schema, fields: fieldsWithoutNotes(Schema.fields) } };
}

/** Fields are named by their keys: one that is called "description" stays. */
function fieldsWithoutNotes(fields: readonly object[]): unknown[] {
  return fields.map((item) =>
    Object.fromEntries(Object.entries(item).map(([name, field]) => [name, fieldWithoutNotes(field)])),
  );
}

function fieldWithoutNotes(field: unknown): unknown {
  if (typeof field !== 'object' || field === null) return field;
  const kept = Object.entries(field).filter(([attribute]) => !NOTES.has(attribute));
  return Object.fromEntries(
    kept.map(([attribute, value]) => {
      if (attribute === 'fields' && Array.isArray(value)) return [attribute, fieldsWithoutNotes(value)];
      const isField = attribute === 'elements' || attribute === 'keys' || attribute === 'values';
      return [attribute, isField ? fieldWithoutNotes(value) : value];
    }),
  );
}
