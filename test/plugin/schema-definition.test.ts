import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSchema } from '../../src/plugin/schema-definition.js';
import { CONFIG_SCHEMAS, pluginOf } from './captures.js';

describe('schemas that Kong was given', () => {
  assert.ok(CONFIG_SCHEMAS.length > 40);
  for (const capture of CONFIG_SCHEMAS) {
    test(`${capture.name}: ${capture.kongStarts ? 'accepted' : 'refused'}`, () => {
      const { fields, entity_checks } = pluginOf(capture).Schema.fields[0].config;
      // An object of fields is refused by Kong; in a plugin module it is a shorthand that the loader spells out.
      const exported =
        capture.name === 'schema_fields_as_map' ? { fields: [fields] } : { fields, entity_checks };
      const { faults } = readSchema(exported);
      if (capture.name === 'schema_fields_as_map') assert.deepEqual(readSchema(fields).faults, []);
      else assert.deepEqual(faults.length === 0, capture.kongStarts, JSON.stringify(faults));
    });
  }
});

describe('the faults of a schema', () => {
  for (const [schema, path, message] of [
    [[{ a: { type: 'array' } }], 'Schema.a', /must declare 'elements'/],
    [[{ m: { type: 'map', keys: { type: 'string' } } }], 'Schema.m', /must declare 'values'/],
    [[{ a: { type: 'string' }, b: { type: 'string' } }], 'Schema[0]', /one key; this one has 2 \(a, b\)/],
    [[{ a: { type: 'string' } }, { a: { type: 'string' } }], 'Schema.a', /defined twice/],
    ['text', 'Schema', /expected an array of fields/],
    [[{ a: 'string' }], 'Schema.a', /expected a record/],
    [[{ a: { type: 'string', between: [1, 2] } }], 'Schema.a', /cannot have attribute 'between'/],
    [[{ a: { type: 'integer', between: [1] } }], 'Schema.a.between', /two numbers/],
    [[{ a: { type: 'string', match: /x/ } }], 'Schema.a.match', /expected a string/],
    [[{ a: { type: 'string', one_of: [() => 1] } }], 'Schema.a.one_of', /expected an array/],
    [[{ a: { type: 'string', toString: 1 } }], 'Schema.a.toString', /unknown field/],
    [[{ a: { type: 'string', custom_validator: () => true } }], 'Schema.a.custom_validator', /Lua code/],
    [[{ a: { type: 'string', one_of: ['x'], default: 'y' } }], 'Schema.a.default', /expected one of: x/],
    [
      [{ r: { type: 'record', fields: [{ x: { type: 'array', elements: { type: 'nope' } } }] } }],
      'Schema.r.x.elements.type',
      /expected one of: string/,
    ],
    [{ fields: [], entity_checks: [{ no_such_check: [] }] }, 'Schema.entity_checks[0]', /at_least_one_of/],
    [{ fields: [], extra: 1 }, 'Schema.extra', /unknown field/],
  ] as const) {
    test(`${path}: ${message.source}`, () => {
      const { faults } = readSchema(schema);
      assert.equal(faults.length, 1, JSON.stringify(faults));
      assert.equal(faults[0]?.path, path);
      assert.match(faults[0].message, message);
    });
  }

  test('do not include a field that is called fields, or attributes that are undefined or null', () => {
    assert.deepEqual(readSchema({ fields: { type: 'string' } }).fields, [{ fields: { type: 'string' } }]);
    assert.deepEqual(
      readSchema([{ a: { type: 'string', default: null, len_min: undefined, match: null } }]).faults,
      [],
    );
  });
});
