import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { formatProblem } from '../../src/gateway/config/problems.js';

const FOLDER = 'test/fixtures/declarative-configs';
const catalog = pluginCatalog([]);

describe('configurations of the kinds that teams have', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yml'));

  it('are sixty at least', () => assert.ok(files.length >= 60));

  for (const file of files) {
    it(file, () => {
      const text = readFileSync(join(FOLDER, file), 'utf8');
      const { problems } = parseDeclarativeConfig(text, file, catalog);
      const verdict = problems.length === 0 ? 'accepted' : 'refused';
      assert.equal(verdict, file.split('.').at(-2), problems.map(formatProblem).join('\n'));
    });
  }
});

describe('docs/local-gateway.md', () => {
  const rows = readFileSync('docs/local-gateway.md', 'utf8').matchAll(
    /^\| `(.+?)` +\| (emulated|ignored|refused) +\|/gm,
  );
  let count = 0;
  for (const [, config = '', word = ''] of rows) {
    count++;
    it(`${word}: ${config}`, () => {
      const known: readonly (readonly [name: string, entity: string])[] = [
        ['services', '{ name: s, host: s }'],
        ['routes', '{ name: r, paths: [/r] }'],
        ['consumers', '{ username: ann }'],
      ];
      const others = known.filter(([key]) => !config.startsWith(`${key}:`));
      const text = `_format_version: "3.0"\n${others.map(([key, entity]) => `${key}: [${entity}]`).join('\n')}\n${config}\n`;
      const { problems, notes } = parseDeclarativeConfig(text, 'kong.yml', catalog);
      const outcome = problems.length > 0 ? 'refused' : notes.length > 0 ? 'ignored' : 'emulated';
      assert.equal(outcome, word, [...problems, ...notes].map(formatProblem).join('\n'));
    });
  }
  it('has its table', () => assert.ok(count > 20));
});
