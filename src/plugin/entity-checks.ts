import type { EntityCheck, SchemaField } from './definition.js';
import { violatedRule } from './schema-rules.js';

/** A check across fields that failed; `field` (dotted) is absent when no single field is at fault. */
export interface EntityError {
  readonly field?: string;
  readonly message: string;
}

interface Conditional {
  if_field: string;
  if_match: SchemaField;
  then_field: string;
  then_match: SchemaField;
  then_err?: string;
}

interface ConditionalAtLeastOneOf {
  if_field: string;
  if_match: SchemaField;
  then_at_least_one_of: string[];
  then_err?: string;
  else_match?: SchemaField;
  else_then_at_least_one_of?: string[];
  else_then_err?: string;
}

/**
 * Runs a record's checks across fields, in order.
 *
 * @param record the record with its defaults filled in; null means "not set"
 * @param fieldAt the definition of the field at a dotted path in the record
 */
export function runEntityChecks(
  checks: readonly EntityCheck[],
  record: Readonly<Record<string, unknown>>,
  fieldAt: (path: string) => SchemaField | undefined,
): EntityError[] {
  const errors: EntityError[] = [];
  const valueAt = (path: string): unknown =>
    path
      .split('.')
      .reduce<unknown>(
        (value, name) => (value as Record<string, unknown> | null | undefined)?.[name],
        record,
      ) ?? null;
  const set = (names: readonly string[]) => names.filter((name) => isNonEmpty(valueAt(name)));
  const fail = (message: string) => errors.push({ message });
  // Like any rule in Kong, a condition holds for a field that is not set, unless it is `eq`, `required` or `ne: null`.
  const meets = (path: string, match: SchemaField) =>
    violatedRule({ ...fieldAt(path), ...match }, valueAt(path)) === undefined;

  for (const check of checks) {
    const [entry] = Object.entries(check);
    if (entry === undefined) continue;
    const [name, argument] = entry;
    const names = argument as string[];
    switch (name) {
      case 'at_least_one_of':
        if (set(names).length === 0) fail(`at least one of these fields must be non-empty: ${quoted(names)}`);
        break;
      case 'only_one_of':
        if (set(names).length !== 1) fail(`exactly one of these fields must be non-empty: ${quoted(names)}`);
        break;
      case 'mutually_exclusive':
        if (set(names).length > 1) fail(`only one or none of these fields must be set: ${quoted(names)}`);
        break;
      case 'mutually_required': {
        const count = set(names).length;
        if (count > 0 && count < names.length)
          fail(`all or none of these fields must be set: ${quoted(names)}`);
        break;
      }
      case 'distinct': {
        const values = set(names).map(valueAt);
        if (new Set(values).size < values.length) {
          fail(`values of these fields must be distinct: ${quoted(names)}`);
        }
        break;
      }
      case 'mutually_exclusive_sets': {
        const { set1, set2 } = argument as { set1: string[]; set2: string[] };
        if (set(set1).length > 0 && set(set2).length > 0) {
          fail(`these sets are mutually exclusive: (${quoted(set1)}), (${quoted(set2)})`);
        }
        break;
      }
      case 'conditional': {
        const { if_field, if_match, then_field, then_match, then_err } = argument as Conditional;
        if (!meets(if_field, if_match)) break;
        const message = violatedRule({ ...fieldAt(then_field), ...then_match }, valueAt(then_field));
        if (message === undefined) break;
        fail(then_err ?? `failed conditional validation given value of field '${if_field}'`);
        errors.push({ field: then_field, message });
        break;
      }
      case 'conditional_at_least_one_of': {
        const wanted = conditionalNames(argument as ConditionalAtLeastOneOf, meets);
        if (wanted !== undefined && set(wanted.names).length === 0) {
          const list = quoted(wanted.names);
          fail(
            wanted.err?.replace('%s', () => list) ??
              `at least one of these fields must be non-empty: ${list}`,
          );
        }
        break;
      }
    }
  }
  return errors;
}

/** The fields of which one must be set under the condition that holds; undefined when none holds. */
function conditionalNames(
  check: ConditionalAtLeastOneOf,
  meets: (path: string, match: SchemaField) => boolean,
): { names: string[]; err: string | undefined } | undefined {
  if (meets(check.if_field, check.if_match))
    return { names: check.then_at_least_one_of, err: check.then_err };
  if (check.else_match === undefined || !meets(check.if_field, check.else_match)) return undefined;
  return { names: check.else_then_at_least_one_of ?? [], err: check.else_then_err };
}

/** Kong counts null, the empty string and empty tables as empty. */
function isNonEmpty(value: unknown): boolean {
  if (value === null || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
