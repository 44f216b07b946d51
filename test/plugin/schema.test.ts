import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { validateConfig } from '../../src/plugin/schema.js';
import { CONFIG_SCHEMAS, pluginOf } from './captures.js';

describe('configurations that Kong was given', () => {
  let compared = 0;
  for (const capture of CONFIG_SCHEMAS) {
    // Kong resolves references to its vaults; nobody else can.
    if (!capture.kongStarts || /_referenceable/.test(capture.name)) continue;
    const { fields, entity_checks } = pluginOf(capture).Schema.fields[0].config;
    if (capture.config !== undefined && capture.received !== undefined) {
      compared += 1;
      test(`${capture.name}: the plugin receives what Kong sent`, () => {
        const { config, errors } = validateConfig(fields, capture.config, entity_checks);
        assert.deepEqual(errors, []);
        assert.deepEqual(config, capture.received?.config);
      });
    }
    for (const { config: given, status, body } of capture.validate ?? []) {
      compared += 1;
      test(`${capture.name}: ${JSON.stringify(given)} is answered with ${status}`, () => {
        const { errors } = validateConfig(fields, given, entity_checks);
        assert.equal(errors.length === 0, status === 200, JSON.stringify(errors));
        for (const { path, message } of errors) {
          assert.ok(body.message.includes(message), `${message} in ${body.message}`);
          const [field = ''] = path.split(/[.[]/);
          assert.ok(body.message.includes(`config.${field}`), `${path} in ${body.message}`);
        }
      });
    }
  }
  assert.ok(compared > 50, `only ${compared} comparisons`);
});

describe('checking a configuration', () => {
  const check = (field: object, value: unknown) =>
    validateConfig([{ f: field as Record<string, unknown> }], { f: value }).errors.map(
      ({ path, message }) => `${path}: ${message}`,
    );

  test('names the place of a fault', () => {
    const hosts = {
      type: 'array',
      elements: { type: 'record', fields: [{ name: { type: 'string', required: true } }] },
    };
    const { errors } = validateConfig([{ hosts }], { hosts: [{ name: 'a' }, {}] });
    assert.deepEqual(errors, [
      { path: 'hosts[1].name', segments: ['hosts', 1, 'name'], message: 'required field missing' },
    ]);
    assert.deepEqual(check({ type: 'array', elements: { type: 'string' } }, ['a', null]), [
      'f[1]: required field missing',
    ]);
    assert.deepEqual(
      check({ type: 'map', keys: { type: 'string', len_max: 1 }, values: { type: 'number' } }, { ab: 1 }),
      ['f.ab: invalid key: length must be at most 1'],
    );
    assert.deepEqual(validateConfig([], 'text').errors, [
      { path: '', segments: [], message: 'expected a record' },
    ]);
  });

  test('counts bytes, as Lua does', () => {
    assert.deepEqual(check({ type: 'string', len_max: 3 }, 'éé'), ['f: length must be at most 3']);
  });

  test('knows the rules that captures do not show', () => {
    for (const [field, good, bad, message] of [
      [{ type: 'string', not_match: '^x' }, 'ax', 'xa', 'invalid value: xa'],
      [{ type: 'string', match_any: { patterns: ['^a', '^b'], err: 'a or b' } }, 'b', 'c', 'a or b'],
      [{ type: 'string', match_all: [{ pattern: '%d', err: 'a digit' }] }, 'a1', 'a', 'a digit'],
      [{ type: 'string', match_none: [{ pattern: '%s', err: 'no blanks' }] }, 'a', 'a b', 'no blanks'],
      [{ type: 'string', ne: 'x' }, 'y', 'x', 'value must not be x'],
      [{ type: 'string', eq: 'x' }, 'x', 'y', 'value must be x'],
      [
        { type: 'array', elements: { type: 'string' }, contains: 'a' },
        ['a'],
        ['b'],
        'expected to contain: a',
      ],
      [{ type: 'array', elements: { type: 'string' }, len_eq: 1 }, ['a'], [], 'length must be 1'],
      [{ type: 'string', match: '%d', err: 'own words' }, '1', 'x', 'own words'],
      [{ type: 'string', is_regex: true }, '(?i)a++', 'a(', 'not a valid regex: a('],
      [{ type: 'set', elements: { type: 'integer' } }, {}, { a: 1 }, 'expected a set'],
    ] as const) {
      assert.deepEqual(check(field, good), [], JSON.stringify(field));
      assert.deepEqual(check(field, bad), [`f: ${message}`]);
    }
  });

  test('removes duplicates from sets, fills records within arrays, and changes nothing it was given', () => {
    const fields = [
      { s: { type: 'set', elements: { type: 'string' } } },
      { d: { type: 'array', elements: { type: 'string' }, default: ['x'] } },
    ];
    const given = { s: ['a', 'a', 'b'] };
    const { config } = validateConfig(fields, given);
    assert.deepEqual(config, { s: ['a', 'b'], d: ['x'] });
    (config.d as string[]).push('y');
    assert.deepEqual(validateConfig(fields, given).config, { s: ['a', 'b'], d: ['x'] });
    assert.deepEqual(given, { s: ['a', 'a', 'b'] });
  });

  test('is not misled by fields that objects have anyway', () => {
    const { config, errors } = validateConfig([{ constructor: { type: 'string', default: 'c' } }], {
      __proto__x: 1,
    });
    assert.equal(config.constructor, 'c');
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['__proto__x'],
    );
    const nasty = JSON.parse('{"__proto__": {"a": 1}}') as Record<string, unknown>;
    assert.deepEqual(
      validateConfig([], nasty).errors.map(({ path }) => path),
      ['__proto__'],
    );
  });

  test('runs the checks across fields', () => {
    const fields = ['a', 'b', 'c'].map((name) => ({ [name]: { type: 'string', len_min: 0 } }));
    const run = (checks: Record<string, unknown>, config: object) =>
      validateConfig(fields, config, [checks]).errors.map(({ path, message }) => `${path}: ${message}`);
    for (const [checks, good, bad, messages] of [
      [
        { mutually_exclusive: ['a', 'b'] },
        { a: 'x', b: '' },
        { a: 'x', b: 'y' },
        ["@entity: only one or none of these fields must be set: 'a', 'b'"],
      ],
      [
        { mutually_required: ['a', 'b'] },
        {},
        { a: 'x' },
        ["@entity: all or none of these fields must be set: 'a', 'b'"],
      ],
      [
        { distinct: ['a', 'b'] },
        { a: 'x', b: 'y' },
        { a: 'x', b: 'x' },
        ["@entity: values of these fields must be distinct: 'a', 'b'"],
      ],
      [
        { mutually_exclusive_sets: { set1: ['a'], set2: ['b', 'c'] } },
        { b: 'x', c: 'y' },
        { a: 'x', c: 'y' },
        ["@entity: these sets are mutually exclusive: ('a'), ('b', 'c')"],
      ],
      [
        {
          conditional: {
            if_field: 'a',
            if_match: { eq: 'x' },
            then_field: 'b',
            then_match: { one_of: ['y'] },
            then_err: 'b must be y',
          },
        },
        { a: 'z', b: 'q' },
        { a: 'x', b: 'q' },
        ['@entity: b must be y', 'b: expected one of: y'],
      ],
      [
        {
          conditional_at_least_one_of: {
            if_field: 'a',
            if_match: { eq: 'x' },
            then_at_least_one_of: ['b', 'c'],
            then_err: 'needs one of %s',
          },
        },
        { a: 'x', c: 'y' },
        { a: 'x' },
        ["@entity: needs one of 'b', 'c'"],
      ],
    ] as const) {
      assert.deepEqual(run(checks, good), []);
      assert.deepEqual(run(checks, bad), messages);
    }
  });
});
