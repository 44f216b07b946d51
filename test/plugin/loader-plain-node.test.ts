import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { BROKEN, ES_PACKAGE, GOOD } from './expected.js';
import { copyFixtures } from './fixtures.js';
import { compilePackage } from './plain-node.js';

const compiled = compilePackage();
const fixtures = copyFixtures();
after(() => {
  compiled.remove();
  fixtures.remove();
});

interface Result {
  plugins: unknown[][];
  failures: string[];
  stack: string;
}

describe('the compiled loader in plain Node', () => {
  test('loads, runs and reports what it does under a TypeScript loader', async () => {
    const folders = ['good', 'esm-package', 'broken', 'own-name'];
    const { stdout, stderr } = await compiled.run(`
      import { loadPlugins } from './dist/src/plugin/loader.js';
      const results = {};
      for (const folder of ${JSON.stringify(folders)}) {
        const { plugins, failures } = await loadPlugins(${JSON.stringify(fixtures.folder('.'))} + '/' + folder);
        const outcomes = [];
        for (const { name, version, priority, phases, Plugin } of plugins) {
          outcomes.push([name, version, priority, phases.join(), await new Plugin({ message: 'm' })[phases[0]]({})]);
        }
        const thrower = plugins.find(({ name }) => name === 'folder-mts');
        let stack = '';
        try { thrower && new thrower.Plugin({}).log(); } catch (error) { stack = error.stack; }
        results[folder] = { plugins: outcomes, failures: failures.map(({ message }) => message), stack };
      }
      console.log(JSON.stringify(results));`);
    assert.doesNotMatch(stderr, /Error/);
    const results = JSON.parse(stdout) as Record<string, Result>;
    const plain = (rows: unknown[][]) => JSON.parse(JSON.stringify(rows)) as unknown[][];

    assert.deepEqual(results.good?.failures, []);
    assert.deepEqual(results.good?.plugins, plain(GOOD));
    assert.match(results.good.stack, /folder-mts\/index\.mts:14:11/, 'stack traces point into the source');
    assert.deepEqual(results['esm-package']?.plugins, plain(ES_PACKAGE));
    assert.deepEqual(results['own-name']?.failures, []);
    assert.deepEqual(
      results['own-name']?.plugins.map((row) => row.at(-1)),
      ['function', 'function'],
      'plugins anywhere can import this package by its name',
    );
    assert.equal(results.broken?.failures.length, BROKEN.length);
    for (const [index, [, , message]] of BROKEN.entries())
      assert.match(results.broken.failures[index] ?? '', message);
  });
});
