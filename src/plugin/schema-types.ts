/** Any JSON value, also where `as const` has made lists readonly. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What every field may have, whatever its type. What an attribute means is in Kong's own documentation. */
interface CommonAttributes {
  /** Whether Kong demands a value. */
  readonly required?: boolean;
  /** At least ten characters. Kong before 3.4 does not start with one; the dump leaves it out unless asked. */
  readonly description?: string;
  readonly examples?: readonly Json[];
  readonly deprecation?: { readonly [key: string]: Json };
  readonly reference?: string;
  readonly on_delete?: string;
  readonly auto?: boolean;
  readonly unique_across_ws?: boolean;
  readonly abstract?: boolean;
  readonly generate_admin_api?: boolean;
  readonly generate_docs?: boolean;
  readonly immutable?: boolean;
  readonly indexed?: boolean;
  /** The message in place of Kong's own. */
  readonly err?: string;
  /** Kong Enterprise: kept encrypted in its database. */
  readonly encrypted?: boolean;
  /** Whether the value may be a reference to a secret in a vault. */
  readonly referenceable?: boolean;
  readonly eq?: Json;
  readonly ne?: Json;
}

/** What fields of text may have. Patterns are Lua's. */
interface StringField extends CommonAttributes {
  readonly type: 'string';
  /** What Kong fills in where the configuration says nothing; an explicit null there suppresses it. */
  readonly default?: string | null;
  readonly one_of?: readonly string[];
  readonly not_one_of?: readonly string[];
  readonly len_eq?: number;
  readonly len_min?: number;
  readonly len_max?: number;
  readonly match?: string;
  readonly not_match?: string;
  readonly match_all?: readonly Json[];
  readonly match_none?: readonly Json[];
  readonly match_any?: { readonly [key: string]: Json };
  readonly starts_with?: string;
  readonly is_regex?: boolean;
  readonly uuid?: boolean;
  readonly legacy?: boolean;
  readonly unique?: boolean;
}

interface NumberField extends CommonAttributes {
  readonly type: 'number' | 'integer';
  readonly default?: number | null;
  readonly between?: readonly [number, number];
  readonly gt?: number;
  readonly one_of?: readonly number[];
  readonly not_one_of?: readonly number[];
  readonly timestamp?: boolean;
  readonly unique?: boolean;
}

interface BooleanField extends CommonAttributes {
  readonly type: 'boolean';
  readonly default?: boolean | null;
}

interface ListField extends CommonAttributes {
  readonly type: 'array' | 'set';
  /** What each element is. */
  readonly elements: Field;
  readonly default?: readonly Json[] | null;
  readonly len_eq?: number;
  readonly len_min?: number;
  readonly len_max?: number;
  readonly contains?: Json;
  readonly mutually_exclusive_subsets?: readonly Json[];
}

interface MapField extends CommonAttributes {
  readonly type: 'map';
  /** What each key is: a field of type string. */
  readonly keys: Field;
  /** What each value is. */
  readonly values: Field;
  readonly default?: { readonly [key: string]: Json } | null;
  readonly len_eq?: number;
  readonly len_min?: number;
  readonly len_max?: number;
}

interface RecordField extends CommonAttributes {
  readonly type: 'record';
  /** The fields inside, each an object with its name as the only key. */
  readonly fields: readonly NamedField[];
  /** Checks across the fields inside. */
  readonly entity_checks?: readonly EntityCheck[];
  readonly default?: { readonly [key: string]: Json } | null;
}

interface ForeignField extends CommonAttributes {
  readonly type: 'foreign';
  readonly reference: string;
  readonly default?: null;
  readonly unique?: boolean;
}

interface FunctionField extends CommonAttributes {
  readonly type: 'function';
  readonly default?: null;
}

interface JsonField extends CommonAttributes {
  readonly type: 'json';
  readonly json_schema: { readonly [key: string]: Json };
  readonly default?: Json;
}

/** The definition of one value in a plugin's configuration, by its type. */
export type Field =
  | StringField
  | NumberField
  | BooleanField
  | ListField
  | MapField
  | RecordField
  | ForeignField
  | FunctionField
  | JsonField;

/** A field with its name as the only key: `{ message: { type: 'string' } }`. */
export type NamedField = { readonly [name: string]: Field };

/** A check across fields, with Kong's name for it as the only key. */
export type EntityCheck =
  | { readonly at_least_one_of: readonly string[] }
  | { readonly only_one_of: readonly string[] }
  | { readonly distinct: readonly string[] }
  | { readonly mutually_required: readonly string[] }
  | { readonly mutually_exclusive: readonly string[] }
  | { readonly mutually_exclusive_sets: { readonly [key: string]: Json } }
  | { readonly conditional: { readonly [key: string]: Json } }
  | { readonly conditional_at_least_one_of: { readonly [key: string]: Json } };

/**
 * A plugin's `Schema`: the fields of its configuration, or these with what holds for all of it. A misspelt type or attribute
 * is an error of the compiler:
 *
 * ```ts
 * export const Schema = [{ message: { type: 'string', default: 'hello' } }] as const satisfies PluginSchema;
 * ```
 */
export type PluginSchema =
  | readonly NamedField[]
  | {
      readonly fields: readonly NamedField[];
      readonly entity_checks?: readonly EntityCheck[];
      /** The plugin cannot be configured for a consumer. */
      readonly consumer?: null;
    };

/**
 * The configuration that Kong hands to the constructor of a plugin with this `Schema`:
 *
 * ```ts
 * constructor(config: ConfigOf<typeof Schema>) {}
 * ```
 *
 * A field that is `required` or has a `default` is there; any other is optional, and so is a record in which no field
 * has a default. (An explicit null in the configuration suppresses a default where the field is not `required`; say
 * `required: true` where that must not be.) `one_of` makes a union, arrays and sets are lists, maps objects, records
 * objects of their fields. Without `as const` every value is `unknown`.
 */
export type ConfigOf<Schema> = Schema extends { readonly fields: infer Fields }
  ? RecordOf<Fields>
  : RecordOf<Schema>;

type RecordOf<Fields> = Fields extends readonly (infer Item)[]
  ? Flatten<
      { [Name in NamesOf<Item, true>]: ValueOf<DefinitionOf<Item, Name>> } & {
        [Name in NamesOf<Item, false>]?: ValueOf<DefinitionOf<Item, Name>> | undefined;
      }
    >
  : Record<string, unknown>;

type Flatten<T> = { [Key in keyof T]: T[Key] };

/** The names of the fields that are there, or of those that may be absent. */
type NamesOf<Item, There extends boolean> = Item extends unknown
  ? { [Name in keyof Item & string]: IsThere<Item[Name]> extends There ? Name : never }[keyof Item & string]
  : never;

type DefinitionOf<Item, Name extends string> = Item extends { readonly [Key in Name]: infer Definition }
  ? Definition
  : never;

type IsThere<Definition> = Definition extends { readonly required: true }
  ? true
  : Definition extends { readonly default: infer Default }
    ? [Default] extends [null]
      ? false
      : true
    : Definition extends { readonly type: 'record'; readonly fields: readonly (infer Item)[] }
      ? [NamesOfDefaults<Item>] extends [never]
        ? false
        : true
      : false;

/** The fields that make Kong create the record around them. */
type NamesOfDefaults<Item> = Item extends unknown
  ? { [Name in keyof Item & string]: HasDefault<Item[Name]> extends true ? Name : never }[keyof Item & string]
  : never;

type HasDefault<Definition> = Definition extends { readonly default: infer Default }
  ? [Default] extends [null]
    ? false
    : true
  : Definition extends { readonly type: 'record'; readonly fields: readonly (infer Item)[] }
    ? [NamesOfDefaults<Item>] extends [never]
      ? Definition extends { readonly required: true }
        ? true
        : false
      : true
    : false;

type ValueOf<Definition> = Definition extends { readonly one_of: readonly (infer One)[] }
  ? One
  : Definition extends { readonly type: infer Type }
    ? Type extends keyof Plain
      ? Plain[Type]
      : Type extends 'array' | 'set'
        ? Definition extends { readonly elements: infer Element }
          ? ValueOf<Element>[]
          : unknown[]
        : Type extends 'map'
          ? Definition extends { readonly values: infer Value }
            ? Record<string, ValueOf<Value>>
            : Record<string, unknown>
          : Type extends 'record'
            ? Definition extends { readonly fields: infer Fields }
              ? RecordOf<Fields>
              : Record<string, unknown>
            : unknown
    : unknown;

interface Plain {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  foreign: { id: string };
}
