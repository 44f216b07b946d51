import type { SchemaField } from './definition.js';
import { luaPatternToRegExp } from './lua-pattern.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What PCRE has and JavaScript's regular expressions lack: a pattern with it cannot be judged here. */
const PCRE_ONLY = /\(\?[^:=!<]|\(\?<[^=!a-z]|\(\*|[*+?}]\+|\\[AzZGKQRXHh]|\[\[:/i;

type Rule = (value: never, argument: never, field: SchemaField) => string | undefined;

/**
 * The rules of Kong's schemas in the order in which Kong tries them, each giving the words for a value that breaks it.
 */
const RULES: readonly [attribute: string, rule: Rule][] = [
  ['eq', (value: unknown, wanted: unknown) => fail(value !== wanted, `value must be ${String(wanted)}`)],
  ['ne', (value: unknown, banned: unknown) => fail(value === banned, `value must not be ${String(banned)}`)],
  [
    'not_one_of',
    (value: unknown, list: unknown[]) => fail(list.includes(value), `must not be one of: ${list.join(', ')}`),
  ],
  [
    'one_of',
    (value: unknown, list: unknown[]) => fail(!list.includes(value), `expected one of: ${list.join(', ')}`),
  ],
  ['gt', (value: number, limit: number) => fail(!(value > limit), `value must be greater than ${limit}`)],
  ['timestamp', (value: number, on: boolean) => fail(on && !(value > 0), 'expected a valid timestamp')],
  ['uuid', (value: string, on: boolean) => fail(on && !UUID.test(value), 'expected a valid UUID')],
  ['is_regex', (value: string, on: boolean) => fail(on && !isRegex(value), `not a valid regex: ${value}`)],
  [
    'between',
    (value: number, [low, high]: [number, number]) =>
      fail(value < low || value > high, `value should be between ${low} and ${high}`),
  ],
  [
    'len_eq',
    (value: unknown, length: number) => fail(lengthOf(value) !== length, `length must be ${length}`),
  ],
  [
    'len_min',
    (value: unknown, length: number) => fail(lengthOf(value) < length, `length must be at least ${length}`),
  ],
  [
    'len_max',
    (value: unknown, length: number) => fail(lengthOf(value) > length, `length must be at most ${length}`),
  ],
  [
    'starts_with',
    (value: string, start: string) => fail(!value.startsWith(start), `should start with: ${start}`),
  ],
  [
    'not_match',
    (value: string, pattern: string) => fail(matches(value, pattern) === true, `invalid value: ${value}`),
  ],
  [
    'match_none',
    (value: string, list: { pattern: string; err?: string }[]) => {
      const hit = list.find(({ pattern }) => matches(value, pattern) === true);
      return hit && (hit.err ?? `invalid value: ${value}`);
    },
  ],
  [
    'match',
    (value: string, pattern: string) => fail(matches(value, pattern) === false, `invalid value: ${value}`),
  ],
  [
    'match_all',
    (value: string, list: { pattern: string; err?: string }[]) => {
      const miss = list.find(({ pattern }) => matches(value, pattern) === false);
      return miss && (miss.err ?? `invalid value: ${value}`);
    },
  ],
  [
    'match_any',
    (value: string, { patterns, err }: { patterns: string[]; err?: string }) =>
      fail(
        patterns.every((pattern) => matches(value, pattern) === false),
        err ?? `invalid value: ${value}`,
      ),
  ],
  [
    'contains',
    (value: unknown[], wanted: unknown) =>
      fail(!value.includes(wanted), `expected to contain: ${String(wanted)}`),
  ],
  [
    'mutually_exclusive_subsets',
    (value: unknown[], subsets: unknown[][]) => {
      const hit = subsets.filter((subset) => subset.some((item) => value.includes(item)));
      return fail(hit.length > 1, 'these values are mutually exclusive');
    },
  ],
  // Only schemas of this project's own have one: a dump cannot carry it.
  ['custom_validator', (value: unknown, rule: (value: unknown) => string | undefined) => rule(value)],
];

/**
 * The first rule of its field that a value breaks, in Kong's words, or undefined. Elements of arrays and maps and the
 * fields of records are the caller's to check.
 */
export function violatedRule(field: SchemaField, value: unknown): string | undefined {
  if (value === null) {
    if (field.ne === null) return 'value must not be null';
    if (field.eq !== undefined && field.eq !== null) return `value must be ${String(field.eq)}`;
    return field.required === true ? 'required field missing' : undefined;
  }
  if (field.eq === null) return 'value must be null';
  const wrongType = violatedType(field.type, value);
  if (wrongType !== undefined) return wrongType;
  // What a vault is going to give is not known yet.
  if (field.referenceable === true && isVaultReference(value)) return undefined;
  // Kong accepts no empty string unless the schema says that it may be empty.
  const implied = field.type === 'string' ? { len_min: 1 } : {};
  const rules: SchemaField = { ...implied, ...field };
  for (const [attribute, rule] of RULES) {
    const argument = rules[attribute];
    if (argument === undefined || argument === null) continue;
    const message = rule(value as never, argument as never, field);
    if (message !== undefined) return typeof field.err === 'string' ? field.err : message;
  }
  return undefined;
}

function isVaultReference(value: unknown): boolean {
  return typeof value === 'string' && /^\{vault:\/\/.*\}$/.test(value);
}

function violatedType(type: unknown, value: unknown): string | undefined {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'number':
      return fail(typeof value !== type || Number.isNaN(value), `expected a ${type}`);
    case 'integer':
      return fail(!Number.isInteger(value), 'expected an integer');
    case 'array':
      return fail(!Array.isArray(value), 'expected an array');
    case 'set':
      return fail(!Array.isArray(value), 'expected a set');
    case 'map':
    case 'record':
      return fail(typeof value !== 'object' || Array.isArray(value), `expected a ${type}`);
    default:
      return undefined;
  }
}

function fail(broken: boolean, message: string): string | undefined {
  return broken ? message : undefined;
}

/** Lengths as Lua counts them: the bytes of a string, the entries of a table. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return Array.isArray(value) ? value.length : Object.keys(value as object).length;
}

/** Whether a Lua pattern matches; undefined when it cannot be judged here. */
function matches(value: string, pattern: string): boolean | undefined {
  return luaPatternToRegExp(pattern)?.test(Buffer.from(value, 'utf8').toString('latin1'));
}

function isRegex(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return PCRE_ONLY.test(pattern);
  }
}
