import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import ts from 'typescript';
import {
  ATTRIBUTE_TYPES,
  ATTRIBUTES,
  type AttributeKind,
  ENTITY_CHECKS,
  FIELD_TYPES,
  type FieldType,
  REQUIRED_ATTRIBUTES,
} from '../../src/plugin/schema-attributes.js';
import { readSchema } from '../../src/plugin/schema-definition.js';

const FILE = join(import.meta.dirname, 'generated.ts');

/** A value that an attribute of this kind takes, and one that it does not. */
const SAMPLES: Record<Exclude<AttributeKind, 'default'>, readonly [good: unknown, bad: unknown]> = {
  boolean: [true, 'yes'],
  string: ['ten letters or more', 1],
  integer: [2, 'two'],
  number: [2.5, 'two'],
  any: ['a', undefined],
  array: [['a'], 'a'],
  strings: [['a'], 'a'],
  pair: [[1, 2], [1]],
  record: [{ a: 'b' }, 'a'],
  field: [{ type: 'string' }, { type: 'text' }],
  fields: [[{ inner: { type: 'string' } }], { inner: { type: 'string' } }],
  checks: [[{ at_least_one_of: ['inner'] }], [{ none_of: ['inner'] }]],
  code: ['return true', undefined],
};

/** A value of each type, as a default. */
const VALUES: Partial<Record<FieldType, unknown>> = {
  string: 'a',
  number: 1.5,
  integer: 1,
  boolean: true,
  array: ['a'],
  set: ['a'],
  map: { a: 'b' },
  record: { inner: 'a' },
};

const TEXT: readonly FieldType[] = ['string'];
const NUMBERS: readonly FieldType[] = ['number', 'integer'];
const LISTS: readonly FieldType[] = ['array', 'set'];

/** Kong takes these wherever they stand and heeds them on some types only; the compiler takes them there alone. */
const HEEDED: Record<string, readonly FieldType[]> = {
  elements: LISTS,
  keys: ['map'],
  values: ['map'],
  fields: ['record'],
  entity_checks: ['record'],
  json_schema: ['json'],
  gt: NUMBERS,
  len_min: [...TEXT, ...LISTS, 'map'],
  len_max: [...TEXT, ...LISTS, 'map'],
  not_match: TEXT,
  match_all: TEXT,
  match_none: TEXT,
  match_any: TEXT,
  starts_with: TEXT,
  not_one_of: [...TEXT, ...NUMBERS],
  mutually_exclusive_subsets: LISTS,
};

function sample(attribute: string, type: FieldType): readonly [good: unknown, bad: unknown] {
  const kind = ATTRIBUTES[attribute] as AttributeKind;
  if (kind === 'default') {
    const value = VALUES[type];
    return value === undefined ? [null, undefined] : [value, value === 'a' ? 1 : 'a'];
  }
  return /one_of$/.test(attribute) && NUMBERS.includes(type) ? [[1], 'a'] : SAMPLES[kind];
}

/** A field of a type with one attribute more than it must have. */
function field(type: FieldType, attribute: string, value: unknown): Record<string, unknown> {
  const needed = REQUIRED_ATTRIBUTES[type] ?? [];
  return {
    type,
    ...Object.fromEntries(needed.map((name) => [name, sample(name, type)[0]])),
    [attribute]: value,
  };
}

/** The compiler's own declarations are read once. */
const read = new Map<string, ts.SourceFile>();

/** Compiles a file beside this one that imports all that is exported of the types. */
function compile(text: string): { program: ts.Program; source: ts.SourceFile } {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const head = `import type { EntityCheck, Field, PluginSchema } from '../../src/plugin/schema-types.js';\n`;
  const source = ts.createSourceFile(FILE, head + text, ts.ScriptTarget.ES2022, true);
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, ...more) => {
    if (file === FILE) return source;
    const known = read.get(file) ?? getSourceFile.call(host, file, ...more);
    if (known !== undefined) read.set(file, known);
    return known;
  };
  return { program: ts.createProgram([FILE], options, host), source };
}

/** For each schema, whether the compiler takes it for a PluginSchema. */
function compiled(schemas: readonly unknown[]): boolean[] {
  const lines = schemas.map((schema) => `void (${JSON.stringify(schema)} as const satisfies PluginSchema);`);
  const { program, source } = compile(lines.join('\n'));
  const wrong = new Set(
    ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      assert.equal(file, source, ts.flattenDiagnosticMessageText(messageText, '\n'));
      return source.getLineAndCharacterOfPosition(start ?? 0).line - 1;
    }),
  );
  return schemas.map((_, index) => !wrong.has(index));
}

/** The names of all properties that the members of a union have. */
function namesIn(type: 'Field' | 'EntityCheck'): string[] {
  const { program, source } = compile(`export type Found = ${type};`);
  const found = source.statements.find(ts.isTypeAliasDeclaration) as ts.TypeAliasDeclaration;
  const union = program.getTypeChecker().getTypeAtLocation(found) as ts.UnionType;
  return [...new Set(union.types.flatMap((member) => member.getProperties().map(({ name }) => name)))].sort();
}

/** Whether the loader and the compiler take a schema each. */
function taken(schemas: readonly unknown[]): { loaded: boolean; typed: boolean }[] {
  const typed = compiled(schemas);
  return schemas.map((schema, index) => ({
    loaded: readSchema(schema).faults.length === 0,
    typed: typed[index] as boolean,
  }));
}

const attributes = Object.keys(ATTRIBUTES).filter((name) => name !== 'type');
const places = FIELD_TYPES.flatMap((type) => attributes.map((attribute) => ({ type, attribute })));

describe('the type PluginSchema and what the loader accepts', () => {
  it('agree on each attribute of each type of field', () => {
    const results = taken(
      places.map(({ type, attribute }) => [{ f: field(type, attribute, sample(attribute, type)[0]) }]),
    );
    for (const [index, { type, attribute }] of places.entries()) {
      const code = ATTRIBUTES[attribute] === 'code';
      const allowed = code ? [] : (ATTRIBUTE_TYPES[attribute] ?? FIELD_TYPES);
      const heeded = HEEDED[attribute] ?? allowed;
      const expected = { loaded: allowed.includes(type), typed: heeded.includes(type) };
      assert.deepEqual(results[index], expected, `${attribute} of ${type}`);
    }
  });

  it('agree on what no attribute may be', () => {
    const wrong = places.filter(({ type, attribute }) => sample(attribute, type)[1] !== undefined);
    const results = taken(
      wrong.map(({ type, attribute }) => [{ f: field(type, attribute, sample(attribute, type)[1]) }]),
    );
    for (const [index, { type, attribute }] of wrong.entries())
      assert.deepEqual(results[index], { loaded: false, typed: false }, `${attribute} of ${type}`);
  });

  it('agree on the types, and know no other attribute', () => {
    const bare = FIELD_TYPES.map((type) => [{ f: field(type, 'required', true) }]);
    const odd = [[{ f: { type: 'text' } }], [{ f: { type: 'string', requird: true } }]];
    const results = taken([...bare, ...odd]);
    assert.deepEqual(
      results.map(({ loaded, typed }) => [loaded, typed]),
      [...bare.map(() => [true, true]), ...odd.map(() => [false, false])],
    );
    assert.deepEqual(
      namesIn('Field').filter((name) => !Object.hasOwn(ATTRIBUTES, name)),
      [],
    );
  });

  it('agree on the checks across fields', () => {
    assert.deepEqual(
      namesIn('EntityCheck'),
      Object.keys(ENTITY_CHECKS)
        .filter((name) => ENTITY_CHECKS[name] !== 'code')
        .sort(),
    );
    const names = Object.keys(ENTITY_CHECKS);
    const schema = (name: string, value: unknown) => ({ fields: [], entity_checks: [{ [name]: value }] });
    const samples = names.map((name) => SAMPLES[ENTITY_CHECKS[name] as AttributeKind & keyof typeof SAMPLES]);
    const results = taken(
      [0, 1].flatMap((which) => names.map((name, index) => schema(name, samples[index]?.[which] ?? 1))),
    );
    for (const [index, name] of names.entries()) {
      const isLua = ENTITY_CHECKS[name] === 'code';
      assert.deepEqual(results[index], { loaded: !isLua, typed: !isLua }, name);
      assert.deepEqual(results[index + names.length], { loaded: false, typed: false }, name);
    }
  });
});
