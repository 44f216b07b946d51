/** The types a field may have. */
export const FIELD_TYPES = [
  'string',
  'number',
  'integer',
  'boolean',
  'array',
  'set',
  'map',
  'record',
  'foreign',
  'function',
  'json',
] as const;

export type FieldType = (typeof FIELD_TYPES)[number];

/** What the value of an attribute must be. `code` stands for Lua functions, which no JSON can carry. */
export type AttributeKind =
  | 'boolean'
  | 'string'
  | 'integer'
  | 'number'
  | 'any'
  | 'array'
  | 'strings'
  | 'pair'
  | 'record'
  | 'default'
  | 'field'
  | 'fields'
  | 'checks'
  | 'code';

/** The attributes that Kong's schema of schemas knows for a field; any other keeps Kong from starting. */
export const ATTRIBUTES: Readonly<Record<string, AttributeKind>> = {
  type: 'string',
  required: 'boolean',
  default: 'default',
  description: 'string',
  examples: 'array',
  reference: 'string',
  on_delete: 'string',
  auto: 'boolean',
  unique: 'boolean',
  unique_across_ws: 'boolean',
  abstract: 'boolean',
  generate_admin_api: 'boolean',
  generate_docs: 'boolean',
  legacy: 'boolean',
  immutable: 'boolean',
  err: 'string',
  encrypted: 'boolean',
  referenceable: 'boolean',
  indexed: 'boolean',
  json_schema: 'record',
  deprecation: 'record',
  between: 'pair',
  eq: 'any',
  ne: 'any',
  gt: 'number',
  len_eq: 'integer',
  len_min: 'integer',
  len_max: 'integer',
  match: 'string',
  not_match: 'string',
  match_all: 'array',
  match_none: 'array',
  match_any: 'record',
  starts_with: 'string',
  one_of: 'array',
  not_one_of: 'array',
  contains: 'any',
  is_regex: 'boolean',
  timestamp: 'boolean',
  uuid: 'boolean',
  mutually_exclusive_subsets: 'array',
  custom_validator: 'code',
  shorthands: 'code',
  shorthand_fields: 'code',
  elements: 'field',
  keys: 'field',
  values: 'field',
  fields: 'fields',
  entity_checks: 'checks',
};

/** Attributes that only fields of these types may have. */
export const ATTRIBUTE_TYPES: Readonly<Record<string, readonly FieldType[]>> = {
  between: ['integer', 'number'],
  len_eq: ['array', 'set', 'string', 'map'],
  match: ['string'],
  one_of: ['string', 'number', 'integer'],
  contains: ['array', 'set'],
  is_regex: ['string'],
  timestamp: ['number', 'integer'],
  uuid: ['string'],
  legacy: ['string'],
  unique: ['string', 'number', 'integer', 'foreign'],
};

/** Attributes that fields of a type must have. */
export const REQUIRED_ATTRIBUTES: Partial<Readonly<Record<FieldType, readonly string[]>>> = {
  array: ['elements'],
  set: ['elements'],
  map: ['keys', 'values'],
  record: ['fields'],
  foreign: ['reference'],
  json: ['json_schema'],
};

/** The entity checks, each with the shape of its argument. */
export const ENTITY_CHECKS: Readonly<Record<string, 'strings' | 'record' | 'code'>> = {
  at_least_one_of: 'strings',
  only_one_of: 'strings',
  distinct: 'strings',
  mutually_required: 'strings',
  mutually_exclusive: 'strings',
  mutually_exclusive_sets: 'record',
  conditional: 'record',
  conditional_at_least_one_of: 'record',
  custom_entity_check: 'code',
};

/** Kong wants a description of at least this many characters. */
export const MIN_DESCRIPTION = 10;
