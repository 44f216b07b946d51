import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { PluginDefinition } from '../../src/plugin/definition.js';
import { PluginLoadError } from '../../src/plugin/errors.js';
import { loadPlugins } from '../../src/plugin/loader.js';
import { BROKEN, ES_PACKAGE, GOOD } from './expected.js';
import { copyFixtures } from './fixtures.js';

const fixtures = copyFixtures();
after(() => fixtures.remove());

async function outcome({ name, version, priority, phases, Plugin }: PluginDefinition) {
  const plugin = new Plugin({ message: 'm' } as never);
  const [first] = phases;
  assert.ok(first);
  return [name, version, priority, phases.join(), await plugin[first]?.({} as never)];
}

/** The source of a plugin, in the stock server's spelling. */
function plugin(name: string): string {
  return `module.exports = { Name: '${name}', Version: '1.0.0', Plugin: class { access() { return '${name}'; } } };`;
}

function write(folder: string, files: Record<string, string>): string {
  const directory = fixtures.folder(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

describe('loading a directory', () => {
  test('takes both spellings in TypeScript and JavaScript, ES modules and CommonJS, and nothing else', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('good'));
    assert.deepEqual(failures, []);
    assert.deepEqual(await Promise.all(plugins.map(outcome)), GOOD);
    const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    assert.deepEqual(byName.get('exports-dot')?.schema, [
      { level: { type: 'integer', default: 3 } },
      { tags: { type: 'set', elements: { type: 'string' } } },
    ]);
    assert.deepEqual(byName.get('default-export')?.entityChecks, [{ only_one_of: ['a', 'b'] }]);
    const ours = byName.get('ours');
    assert.equal(ours?.file, fixtures.folder('good/ours.ts'));
    const now = Date.now() / 1000;
    assert.ok(ours.loadedAt <= now && ours.loadedAt > now - 120 && Number.isInteger(ours.modifiedAt));
  });

  test('takes CommonJS in a package of ES modules', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('esm-package'));
    assert.deepEqual(failures, []);
    assert.deepEqual(await Promise.all(plugins.map(outcome)), ES_PACKAGE);
  });

  test('lets plugins anywhere import this package by its name', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('own-name'));
    assert.deepEqual(failures, []);
    assert.deepEqual(
      (await Promise.all(plugins.map(outcome))).map((row) => row.at(-1)),
      ['function', 'function'],
    );
  });

  test('gives this package to plugins of every format, whatever copy lies beside them, and runs each once', async () => {
    const directory = fixtures.folder('beside-a-copy');
    const copy = join(directory, 'node_modules/kong-ts-pluginserver');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(copy, 'package.json'), '{"name":"kong-ts-pluginserver","main":"i.js"}');
    writeFileSync(join(copy, 'i.js'), 'exports.PdkError = "the copy";');
    const parts = `version = '1.0.0', Plugin = class { access() { return PdkError.name; } }`;
    const imported = `import { PdkError } from 'kong-ts-pluginserver'; export const ${parts};`;
    const required = `const { PdkError } = require('kong-ts-pluginserver'); const ${parts}; module.exports = { version, Plugin };`;
    const sources = { 'a.ts': imported, 'b.mjs': imported, 'c.cjs': required, 'd.js': required };
    for (const [name, source] of Object.entries(sources)) {
      writeFileSync(join(directory, name), source);
    }
    const runs = 'kong-ts-runs';
    const counted = `globalThis['${runs}'] = (globalThis['${runs}'] ?? 0) + 1; throw new Error('no start');`;
    writeFileSync(join(directory, 'throws.mjs'), `${counted} export const version = '1.0.0';`);
    const { plugins, failures } = await loadPlugins(directory);
    assert.deepEqual(await Promise.all(plugins.map(async (one) => (await outcome(one)).at(-1))), [
      'PdkError',
      'PdkError',
      'PdkError',
      'PdkError',
    ]);
    assert.match(String(failures), /throws\.mjs.*no start/);
    assert.equal((globalThis as Record<string, unknown>)[runs], 1);
  });

  test('names file and reason of every plugin that fails, and loads the others', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('broken'));
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['works'],
    );
    assert.deepEqual(
      failures.map(({ file, code }) => [basename(file), code]),
      BROKEN.map(([file, code]) => [file, code]),
    );
    for (const [index, [, , message]] of BROKEN.entries())
      assert.match(failures[index]?.message ?? '', message);
    const thrown = failures.find(({ file }) => file.endsWith('throws.ts'));
    assert.ok(thrown instanceof PluginLoadError && thrown.cause instanceof TypeError);
    assert.deepEqual(thrown.location, { file: thrown.file, line: 4, column: 7 });
  });

  test('refuses both of two plugins with one name', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('duplicates'));
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['three'],
    );
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['PLUGIN_DUPLICATE', 'PLUGIN_DUPLICATE'],
    );
    for (const { message } of failures) assert.match(message, /(?=.*one\.ts)(?=.*two\.cjs)(?=.*"one")/);
  });

  test("takes the main of a folder's package.json, and its index where there is no such file", async () => {
    const directory = fixtures.folder('folders');
    const folders: Record<string, Record<string, string>> = {
      'no-ending': { 'package.json': '{"main":"src/plugin"}', 'src/plugin.ts': plugin('no-ending') },
      'main-folder': { 'package.json': '{"main":"./lib"}', 'lib/index.js': plugin('main-folder') },
      'main-missing': { 'package.json': '{"main":"index.js"}', 'index.ts': plugin('main-missing') },
      'main-first': {
        'package.json': '{"main":"dist.cjs"}',
        'dist.cjs': plugin('main-first'),
        'index.ts': 'throw new Error("not this one")',
      },
      'no-main': { 'package.json': '{}', 'helper.js': 'throw new Error("no plugin")' },
      'broken-package': { 'package.json': '{' },
    };
    for (const [folder, files] of Object.entries(folders)) {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, folder, name)), { recursive: true });
        writeFileSync(join(directory, folder, name), text);
      }
    }
    const { plugins, failures } = await loadPlugins(directory);
    assert.deepEqual(
      plugins.map(({ name, version }) => [name, version]),
      [
        ['main-first', '1.0.0'],
        ['main-folder', '1.0.0'],
        ['main-missing', '1.0.0'],
        ['my-auth', '1.2.3'],
        ['no-ending', '1.0.0'],
      ],
    );
    assert.deepEqual(
      failures.map(({ file, code }) => [file, code]),
      [[join(directory, 'broken-package/package.json'), 'PLUGIN_EXPORTS']],
    );
  });

  test('says that there is nothing in a directory', async () => {
    const directory = fixtures.folder('nothing-here');
    mkdirSync(join(directory, 'empty'), { recursive: true });
    const { plugins, failures } = await loadPlugins(directory);
    assert.deepEqual(
      [plugins, failures.map(({ code, file }) => [code, file])],
      [[], [['PLUGIN_NOT_FOUND', directory]]],
    );
  });

  test('says which directory cannot be read', async () => {
    const missing = fixtures.folder('nowhere');
    await assert.rejects(loadPlugins(missing), (error: unknown) => {
      assert.ok(error instanceof PluginLoadError);
      assert.equal(error.code, 'PLUGIN_DIRECTORY');
      assert.ok(error.message.includes(missing) && error.message.includes('ENOENT'));
      return true;
    });
  });
});

describe('loading by name', () => {
  test('imports no other plugin', async () => {
    const directory = write('duplicates', {
      'noisy.cjs': 'throw new Error("imported although nobody asked for it");',
    });
    const { plugins, failures } = await loadPlugins(directory, { only: ['Three'] });
    assert.deepEqual(failures, []);
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['three'],
    );
  });

  test('finds a plugin that its file is not named after, without the failures of others', async () => {
    const directory = write('good', { 'broken.cjs': 'throw new Error("not asked for");' });
    const { plugins, failures } = await loadPlugins(directory, { only: ['stock-typescript', 'ours'] });
    assert.deepEqual(failures, []);
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['ours', 'stock-typescript'],
    );
  });

  test('reports the wanted plugin that fails, and not as missing', async () => {
    const { plugins, failures } = await loadPlugins(fixtures.folder('broken'), {
      only: ['no-class', 'works'],
    });
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['works'],
    );
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['PLUGIN_EXPORTS'],
    );
  });

  test('names the directory and the plugin that is not in it', async () => {
    const directory = fixtures.folder('esm-package');
    const { plugins, failures } = await loadPlugins(directory, { only: ['absent', 'proper'] });
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['proper'],
    );
    assert.equal(failures.length, 1);
    assert.equal(failures[0]?.code, 'PLUGIN_NOT_FOUND');
    assert.match(failures[0].message, /esm-package: there is no plugin "absent"/);
    assert.ok(failures[0].message.includes(directory));
  });

  test('finds duplicates among the wanted', async () => {
    const directory = fixtures.folder('duplicates');
    writeFileSync(
      join(directory, 'three.ts'),
      'export const version = "1.0.0"; export class Plugin { log() {} }',
    );
    const { plugins, failures } = await loadPlugins(directory, { only: ['three'] });
    assert.deepEqual(plugins, []);
    assert.deepEqual(
      failures.map(({ file, code }) => [basename(file), code]),
      [
        ['three.mjs', 'PLUGIN_DUPLICATE'],
        ['three.ts', 'PLUGIN_DUPLICATE'],
      ],
    );
  });
});
