import type { EntityCheck, SchemaField } from './definition.js';
import { checkValue } from './schema.js';
import {
  ATTRIBUTE_TYPES,
  ATTRIBUTES,
  type AttributeKind,
  ENTITY_CHECKS,
  FIELD_TYPES,
  type FieldType,
  MIN_DESCRIPTION,
  REQUIRED_ATTRIBUTES,
} from './schema-attributes.js';

/** Something in a plugin's `Schema` for which Kong would not start. */
export interface SchemaFault {
  /** For instance `Schema.limits.per_minute.type`. */
  readonly path: string;
  readonly message: string;
}

export interface ReadSchema {
  readonly fields: readonly SchemaField[];
  readonly entityChecks: readonly EntityCheck[];
  /** The plugin cannot be configured for a consumer. */
  readonly noConsumer: boolean;
  readonly faults: readonly SchemaFault[];
}

type Report = (path: string, message: string) => void;
type Dict = Record<string, unknown>;

/**
 * Brings an exported `Schema` into Kong's form and checks it against Kong's schema of schemas.
 *
 * Accepted are an array of one-key objects (`[{ message: { type: 'string' } }]`), one object with all the fields
 * (`{ message: { type: 'string' } }`), and the inside of Kong's config record, for a plugin that has checks across
 * fields (`{ fields: [...], entity_checks: [...] }`). In the last form `consumer: null` says that the plugin cannot be
 * configured for a consumer, as for one that runs before any is known. No schema means no fields.
 */
export function readSchema(exported: unknown): ReadSchema {
  const faults: SchemaFault[] = [];
  const report: Report = (path, message) => faults.push({ path, message });
  let fields: unknown = exported ?? [];
  let checks: unknown = [];
  let noConsumer = false;
  if (isDict(fields)) {
    if (Array.isArray(fields.fields)) {
      for (const key of Object.keys(fields)) {
        if (!['fields', 'entity_checks', 'type', 'consumer'].includes(key))
          report(`Schema.${key}`, 'unknown field');
      }
      if (fields.consumer !== undefined && fields.consumer !== null)
        report(
          'Schema.consumer',
          'expected null, which keeps the plugin from being configured for a consumer',
        );
      noConsumer = fields.consumer === null;
      checks = fields.entity_checks ?? [];
      fields = fields.fields;
    } else {
      fields = Object.entries(fields).map(([name, field]) => ({ [name]: field }));
    }
  }
  checkFields(fields, 'Schema', report);
  checkEntityChecks(checks, 'Schema.entity_checks', report);
  return {
    faults,
    noConsumer,
    fields: Array.isArray(fields) ? (fields as SchemaField[]) : [],
    entityChecks: Array.isArray(checks) ? (checks as EntityCheck[]) : [],
  };
}

function checkFields(fields: unknown, path: string, report: Report): void {
  if (!Array.isArray(fields)) {
    report(path, 'expected an array of fields, each an object with the field name as its only key');
    return;
  }
  const seen = new Set<string>();
  for (const [index, item] of fields.entries()) {
    const names = isDict(item) ? Object.keys(item) : [];
    const [name] = names;
    if (!isDict(item) || name === undefined || names.length !== 1) {
      const found = isDict(item) ? `has ${names.length} (${names.join(', ')})` : 'is not an object';
      report(`${path}[${index}]`, `each field must be an object with one key; this one ${found}`);
      continue;
    }
    if (seen.has(name)) report(`${path}.${name}`, 'defined twice');
    seen.add(name);
    checkField(item[name], `${path}.${name}`, report);
  }
}

function checkField(field: unknown, path: string, report: Report): void {
  if (!isDict(field)) {
    report(path, 'expected a record, for instance { type: "string" }');
    return;
  }
  const type = field.type;
  if (type === undefined) {
    report(`${path}.type`, 'required field missing');
    return;
  }
  if (!FIELD_TYPES.includes(type as FieldType)) {
    report(`${path}.type`, `expected one of: ${FIELD_TYPES.join(', ')}`);
    return;
  }
  let sound = true;
  const fault: Report = (at, message) => {
    sound = false;
    report(at, message);
  };
  for (const needed of REQUIRED_ATTRIBUTES[type as FieldType] ?? []) {
    if (field[needed] === undefined) fault(path, `field of type '${String(type)}' must declare '${needed}'`);
  }
  for (const [attribute, value] of Object.entries(field)) {
    if (value === undefined || attribute === 'default') continue;
    const kind = Object.hasOwn(ATTRIBUTES, attribute) ? ATTRIBUTES[attribute] : undefined;
    if (kind === undefined) {
      fault(`${path}.${attribute}`, 'unknown field');
      continue;
    }
    const types = ATTRIBUTE_TYPES[attribute];
    if (types !== undefined && !types.includes(type as FieldType)) {
      fault(path, `field of type '${String(type)}' cannot have attribute '${attribute}'`);
    }
    // Kong reads a JSON null as "not given".
    if (value !== null) checkAttribute(kind, value, `${path}.${attribute}`, fault);
  }
  const description = field.description;
  if (typeof description === 'string' && description.length < MIN_DESCRIPTION) {
    fault(`${path}.description`, `length must be at least ${MIN_DESCRIPTION}`);
  }
  const fallback = field.default;
  if (sound && fallback !== undefined && fallback !== null) {
    if (!isJson(fallback)) report(`${path}.default`, 'expected a JSON value');
    else for (const { message } of checkValue(field, fallback)) report(`${path}.default`, message);
  }
}

function checkAttribute(kind: AttributeKind, value: unknown, path: string, report: Report): void {
  switch (kind) {
    case 'field':
      checkField(value, path, report);
      return;
    case 'fields':
      checkFields(value, path.slice(0, path.lastIndexOf('.')), report);
      return;
    case 'checks':
      checkEntityChecks(value, path, report);
      return;
    case 'code':
      report(path, 'needs Lua code, which a plugin outside Kong cannot give');
      return;
    case 'boolean':
    case 'string':
    case 'number':
      if (typeof value !== kind || Number.isNaN(value)) report(path, `expected a ${kind}`);
      return;
    case 'integer':
      if (!Number.isInteger(value)) report(path, 'expected an integer');
      return;
    case 'pair':
      if (!isArrayOf(value, (item) => typeof item === 'number') || value.length !== 2) {
        report(path, 'expected an array of two numbers');
      }
      return;
    case 'strings':
      if (!isArrayOf(value, (item) => typeof item === 'string')) report(path, 'expected an array of strings');
      return;
    case 'array':
      if (!Array.isArray(value) || !isJson(value)) report(path, 'expected an array');
      return;
    case 'record':
      if (!isDict(value) || !isJson(value)) report(path, 'expected a record');
      return;
    default:
      if (!isJson(value)) report(path, 'expected a JSON value');
  }
}

function checkEntityChecks(checks: unknown, path: string, report: Report): void {
  if (!Array.isArray(checks)) {
    report(path, 'expected an array');
    return;
  }
  for (const [index, check] of checks.entries()) {
    const at = `${path}[${index}]`;
    const names = isDict(check) ? Object.keys(check) : [];
    const [name] = names;
    if (!isDict(check) || name === undefined || names.length !== 1 || !Object.hasOwn(ENTITY_CHECKS, name)) {
      report(at, `expected an object with one of these keys: ${Object.keys(ENTITY_CHECKS).join(', ')}`);
    } else {
      checkAttribute(ENTITY_CHECKS[name] as AttributeKind, check[name], `${at}.${name}`, report);
    }
  }
}

function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isArrayOf(value: unknown, test: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(test);
}

/** Whether JSON carries the value as it is; functions, NaN, dates and the like do not survive. */
function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  return Object.values(value).every((item) => item === undefined || isJson(item));
}
