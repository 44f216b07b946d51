import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { full } from '../support/full.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is committed, that is: npm makes a clone, installs what builds it, and packs what comes of that. */
test('the repository can be installed from git, built', { skip: !full && 'npm run test:full' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-git-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true}');
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', `git+file://${ROOT}`);
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  assert.match(dependencies['kong-ts-pluginserver'], /^git\+file:/);
  const bin = join(folder, 'node_modules/.bin/kong-ts-pluginserver');
  const { Plugins } = JSON.parse(run(process.execPath, bin, '--dump', '--plugin', 'customer-verification'));
  assert.equal(Plugins[0].Name, 'customer-verification');
  const code = `import('kong-ts-pluginserver').then((api) => console.log(typeof api.startDedicatedServer))`;
  assert.equal(run(process.execPath, '-e', code), 'function\n');
});
