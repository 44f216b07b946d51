import type { EntityCheck, PluginConfig, SchemaField } from './definition.js';
import { runEntityChecks } from './entity-checks.js';
import { violatedRule } from './schema-rules.js';

/** One fault in a configuration. */
export interface ConfigError {
  /** Within `config`, for instance `limits.hosts[0]`; `@entity` for a check across fields. */
  readonly path: string;
  /** The same as keys and indexes. */
  readonly segments: readonly (string | number)[];
  /** In the words that Kong uses, for instance `expected a string`. */
  readonly message: string;
}

export interface ValidatedConfig {
  /** The configuration as Kong would send it: defaults filled in, null fields left out. */
  readonly config: PluginConfig;
  readonly errors: readonly ConfigError[];
}

type Segments = readonly (string | number)[];
type Report = (segments: Segments, message: string) => void;
type Dict = Record<string, unknown>;

/**
 * Checks a plugin's configuration against the fields of its schema, and fills in defaults, as Kong does before the
 * plugin server gets to see it.
 *
 * A missing field takes its default; an explicit null suppresses the default; unset and null fields are left out; a
 * missing record is made when a field in it has a default. Not checked: values of type `foreign`, `function` and
 * `json`, and Lua patterns with `%b`. Vault references are kept as they are.
 *
 * @param schema the fields of the config record
 * @param config the `config` of a plugin entity; undefined and null count as `{}`
 * @param entityChecks the config record's checks across fields
 */
export function validateConfig(
  schema: readonly SchemaField[],
  config: unknown,
  entityChecks: readonly EntityCheck[] = [],
): ValidatedConfig {
  const errors: ConfigError[] = [];
  const report: Report = (segments, message) => errors.push({ path: pathText(segments), segments, message });
  const given = config ?? {};
  if (!isDict(given)) {
    report([], 'expected a record');
    return { config: {}, errors };
  }
  const filled = fillRecord(schema, given);
  checkRecord(schema, entityChecks, filled, [], report);
  return { config: withoutNulls(filled) as PluginConfig, errors };
}

/** Checks one value against the definition of its field; for the default that a schema gives. */
export function checkValue(field: SchemaField, value: unknown): ConfigError[] {
  const errors: ConfigError[] = [];
  const report: Report = (segments, message) => errors.push({ path: pathText(segments), segments, message });
  checkField(field, fill(field, value), [], report);
  return errors;
}

/** The record with its defaults; fields without value are null, so that checks across fields can see them. */
function fillRecord(schema: readonly SchemaField[], given: Dict): Dict {
  const filled: Dict = { ...given };
  for (const [name, field] of fieldsOf(schema)) {
    const value = fill(field, Object.hasOwn(given, name) ? given[name] : undefined);
    Object.defineProperty(filled, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return filled;
}

function fill(field: SchemaField, value: unknown): unknown {
  if (value === null) return null;
  const type = field.type;
  const start = value === undefined ? structuredClone(field.default) : asTable(type, value);
  if (type === 'record') {
    const fields = listOf(field.fields);
    if (isDict(start)) return fillRecord(fields, start);
    if (start !== undefined) return start;
    const nested = fillRecord(fields, {});
    const hasDefaults = Object.values(nested).some((item) => item !== null);
    return hasDefaults || field.required === true ? nested : null;
  }
  const elements = field.elements;
  if (Array.isArray(start) && isDict(elements)) {
    const items = start.map((item: unknown) => fill(elements, item));
    return type === 'set' ? [...new Set(items)] : items;
  }
  const values = field.values;
  if (type === 'map' && isDict(start) && isDict(values)) {
    return Object.fromEntries(Object.entries(start).map(([key, item]) => [key, fill(values, item)]));
  }
  return start ?? null;
}

/** Lua has one empty table, so `[]` may stand for a mapping and `{}` for a list. */
function asTable(type: unknown, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length > 0) return value;
  if (type === 'map' || type === 'record') return {};
  return type === 'array' || type === 'set' ? [] : value;
}

function checkRecord(
  schema: readonly SchemaField[],
  checks: readonly EntityCheck[],
  record: Dict,
  at: Segments,
  report: Report,
): void {
  const fields = new Map(fieldsOf(schema));
  for (const [name, value] of Object.entries(record)) {
    const field = fields.get(name);
    if (field === undefined) report([...at, name], 'unknown field');
    else checkField(field, value, [...at, name], report);
  }
  const lookUp = (path: string): SchemaField | undefined => {
    const [first = '', ...rest] = path.split('.');
    return rest.reduce<SchemaField | undefined>(
      (field, name) => new Map(fieldsOf(listOf(field?.fields))).get(name),
      fields.get(first),
    );
  };
  for (const { field, message } of runEntityChecks(checks, record, lookUp)) {
    report([...at, ...(field === undefined ? ['@entity'] : field.split('.'))], message);
  }
}

function checkField(field: SchemaField, value: unknown, at: Segments, report: Report): void {
  if (value === null || value === undefined) {
    const message = violatedRule(field, null);
    if (message !== undefined) report(at, message);
    return;
  }
  const broken = violatedRule(field, value);
  switch (field.type) {
    case 'array':
    case 'set':
      if (!Array.isArray(value)) break;
      for (const [index, item] of value.entries()) {
        checkField({ ...asDict(field.elements), required: true }, item, [...at, index], report);
      }
      break;
    case 'map':
      if (!isDict(value)) break;
      for (const [key, item] of Object.entries(value)) {
        const keyFault = violatedRule(asDict(field.keys), key);
        if (keyFault !== undefined) report([...at, key], `invalid key: ${keyFault}`);
        checkField({ ...asDict(field.values), required: true }, item, [...at, key], report);
      }
      break;
    case 'record':
      if (!isDict(value)) break;
      checkRecord(listOf(field.fields), listOf(field.entity_checks), value, at, report);
      break;
  }
  if (broken !== undefined) report(at, broken);
}

function fieldsOf(schema: readonly SchemaField[]): [string, SchemaField][] {
  return schema.flatMap((item) => Object.entries(item) as [string, SchemaField][]);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isDict(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null && item !== undefined)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}

function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asDict(value: unknown): Dict {
  return isDict(value) ? value : {};
}

function listOf<T extends Dict>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

function pathText(segments: Segments): string {
  return segments.reduce<string>(
    (text, segment) =>
      typeof segment === 'number' ? `${text}[${segment}]` : text === '' ? segment : `${text}.${segment}`,
    '',
  );
}
