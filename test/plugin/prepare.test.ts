import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CliProcess, runCli } from '../support/cli.js';

const plugin = (prepare: string) => `
exports.Plugin = class { access() {} };
exports.Version = '1.0.0';
exports.Schema = [];
exports.prepare = () => { ${prepare} };
`;

test('prepare runs once in each process that serves, before Kong can ask for anything, and for no dump', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-prepare-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'early.cjs'), plugin("process.stderr.write('prepared\\n')"));
  writeFileSync(join(folder, 'failing.cjs'), plugin("throw new Error('no driver')"));
  const dumped = await runCli(['--dump', '--plugin', 'early', '-d', folder]);
  assert.equal(dumped.code, 0);
  assert.equal(dumped.stderr, '');

  const server = new CliProcess([
    'serve',
    '-d',
    folder,
    '--workers',
    '2',
    '--socket',
    join(folder, 'p.sock'),
  ]);
  t.after(() => server.kill());
  await server.said(/plugins: early 1\.0\.0, failing 1\.0\.0/);
  const before = server.log.slice(0, server.log.indexOf('server started'));
  assert.equal(before.match(/^prepared$/gm)?.length, 2);
  assert.equal(before.match(/^plugin "failing": prepare threw: no driver$/gm)?.length, 2);
});
