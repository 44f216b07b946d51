import type { EntityCheck, SchemaField } from '../../plugin/definition.js';
// biome-ignore lint/correctness/useImportExtensions: a file of data
import data from './kong-entities.json' with { type: 'json' };
import * as rules from './rules.js';

/** One kind of entity of Kong's declarative format, in the vocabulary of Kong's schemas. */
export interface EntityKind {
  readonly fields: readonly SchemaField[];
  readonly checks: readonly EntityCheck[];
  /** The field that names an entity, in messages and in references. */
  readonly label: string;
  /** Fields that refer to another entity, and the kind of that. Each also lets this kind be nested in that one. */
  readonly references: Readonly<Record<string, string>>;
  readonly required: readonly string[];
  /** Fields whose values no two entities may share. */
  readonly unique: readonly string[];
  /** What the id is made of when the file gives none. */
  readonly idFrom: readonly string[];
  /** The local gateway does something with it. */
  readonly emulated: boolean;
}

/** In the file: a name stands for a field of that type, which is Kong's or one of the file's own. */
type RawField = string | RawFields;
type RawFields = { readonly [name: string]: unknown };

/** A kind in the file. `common`: with id, times and tags; `credential`: of a consumer; `when`: conditions. */
interface RawKind extends Partial<Omit<EntityKind, 'fields' | 'label'>> {
  readonly label: string;
  readonly fields: RawFields;
  readonly common?: boolean;
  readonly credential?: boolean;
  readonly when?: readonly unknown[][];
}

const types: RawFields = data.types;
const COMMON = { id: 'uuid', created_at: 'time', updated_at: 'time', tags: 'tags' };
const OF_CONSUMER = { id: 'uuid', created_at: 'time', tags: 'tags', consumer: 'foreign' };

const RULES: Readonly<Record<string, unknown>> = { ...rules };

/** `rule` names one of {@link RULES}. */
function withRule({ rule, ...field }: RawFields): SchemaField {
  return rule === undefined ? field : { ...field, custom_validator: RULES[rule as string] };
}

function field(raw: RawField): SchemaField {
  const { type, ...own } = withRule(typeof raw === 'string' ? { type: raw } : raw);
  const named = types[type as string] as RawField | undefined;
  const whole: SchemaField = { ...(named === undefined ? { type } : field(named)), ...own };
  for (const part of ['elements', 'keys', 'values']) {
    if (own[part] !== undefined) whole[part] = field(own[part] as RawField);
  }
  if (own.fields !== undefined) whole.fields = fieldList(own.fields as RawFields);
  return whole;
}

/** Fields as the validator takes them: a list of objects with one key each. */
function fieldList(fields: RawFields): SchemaField[] {
  return Object.entries(fields).map(([name, raw]) => ({ [name]: field(raw as RawField) }));
}

function kind(raw: RawKind): EntityKind {
  const { common = false, credential = false, when = [], checks = [], fields, ...more } = raw;
  const conditions = when.map(([if_field, if_match, then_field, then_match]) => ({
    conditional: { if_field, if_match, then_field, then_match: withRule(then_match as RawFields) },
  }));
  return {
    ...(credential
      ? { references: { consumer: 'consumers' }, required: ['consumer'] }
      : { references: {}, required: [] }),
    ...{ unique: [], idFrom: [], emulated: false, ...more },
    fields: fieldList({ ...(common ? COMMON : {}), ...(credential ? OF_CONSUMER : {}), ...fields }),
    checks: [...conditions, ...checks],
  };
}

/** The kinds of entities that Kong 3.9 knows with its bundled plugins, by their key in the file. */
export const ENTITY_KINDS: Readonly<Record<string, EntityKind>> = Object.fromEntries(
  Object.entries(data.kinds as unknown as Record<string, RawKind>).map(([name, raw]) => [name, kind(raw)]),
);

/** What routes of a protocol may not set, and of which they need one. */
export const ROUTE_PROTOCOLS: Readonly<
  Record<string, { readonly forbidden: readonly string[]; readonly needsOneOf: readonly string[] }>
> = data.routeProtocols;

/** Kinds that no file of a person's has, though Kong takes them: they are not looked into. */
export const UNCHECKED_KINDS: readonly string[] = data.unchecked;

/** What belongs to other products, by its key at the top of the file. Kong 3.9's open source edition refuses it. */
export const FOREIGN_KEYS: Readonly<Record<string, string>> = data.foreign;

/** The kinds that may be nested in a kind, each with the field that then refers to it. */
export const CHILDREN: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.keys(ENTITY_KINDS).map((parent) => [
    parent,
    new Map(
      Object.entries(ENTITY_KINDS).flatMap(([kind, { references }]) =>
        Object.entries(references).flatMap(([field, to]): [string, string][] =>
          to === parent ? [[kind, field]] : [],
        ),
      ),
    ),
  ]),
);

/** Fields that stand for others, as Kong spells them out before it looks. */
export const SHORTHANDS: Readonly<
  Record<string, (entity: Record<string, unknown>) => Record<string, unknown>>
> = {
  services: ({ url, ...rest }) => (url === undefined || url === null ? rest : { ...rest, ...urlParts(url) }),
  upstreams: (entity) => {
    const { algorithm, hash_on } = entity;
    if (hash_on === null) return { ...entity, hash_on: 'none' };
    if (hash_on === 'none' && algorithm === undefined) return { ...entity, algorithm: 'round-robin' };
    return typeof hash_on === 'string' && hash_on !== 'none'
      ? { ...entity, algorithm: 'consistent-hashing' }
      : entity;
  },
};

/** A service's `url` as the fields it stands for, with the habits of Kong's parser: no `/`, no end of the host. */
function urlParts(url: unknown): Record<string, unknown> {
  if (typeof url !== 'string') return { url };
  const [, scheme, authority = '', rest = ''] =
    /^(?:([A-Za-z][\w+.-]*):)?(?:\/\/([^/]*))?(.*)/s.exec(url) ?? [];
  const [, host, digits] = /^(?:[^@]*@)?(\[[^\]]*\]|.*?)(?::([^:\]]*))?$/s.exec(authority) ?? [];
  const port = digits === undefined ? undefined : /^\d+$/.test(digits) ? Number(digits) : digits;
  const path = rest.replace(/[#?;].*/s, '');
  const protocol = scheme ?? (port === 443 ? 'https' : 'http');
  return {
    protocol,
    host: host === '' || host === undefined ? null : host.replace(/^\[|\]$/g, ''),
    port: port ?? (protocol === 'https' ? 443 : 80),
    path: path === '' ? null : path,
  };
}
