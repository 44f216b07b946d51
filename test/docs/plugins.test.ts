import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ATTRIBUTES, ENTITY_CHECKS, FIELD_TYPES } from '../../src/plugin/schema-attributes.js';

const DOCS = join(import.meta.dirname, '../../docs');
const text = readFileSync(join(DOCS, 'plugins.md'), 'utf8');

test('docs/plugins.md has every type, attribute and entity check of a schema', () => {
  const structural = ['type', 'elements', 'keys', 'values', 'fields', 'reference', 'json_schema'];
  const names = [...FIELD_TYPES, ...Object.keys(ATTRIBUTES), ...structural, ...Object.keys(ENTITY_CHECKS)];
  const missing = names.filter((name) => !text.includes(`\`${name}\``) && name !== 'custom_entity_check');
  assert.deepEqual(
    missing.filter((name) => name !== 'type'),
    [],
  );
});

test('what docs/plugins.md links to is there', () => {
  for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
    if (!target.includes('://')) assert.ok(existsSync(join(DOCS, target)), target);
  }
});
