import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadEnvFile, parseEnvFile } from '../../src/env-file.js';
import { CliProcess } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-env-'));
after(() => rmSync(folder, { recursive: true }));

for (const [line, value] of [
  ['A=pa#ss', 'pa#ss'],
  ['A=pa#ss # a comment', 'pa#ss'],
  ['A=pa ss # a # comment', 'pa ss'],
  ['A=#lead', '#lead'],
  ['A= # nothing', ''],
  ['A="x # y"', 'x # y'],
  ["A='x#y' # comment", 'x#y'],
  ["export A=it's#1", "it's#1"],
  ['A=a\\nb#c', 'a\\nb#c'],
  ['# A=1\nA=b#c\r\nB=1', 'b#c'],
  ['K="line\nA=in#side\n"\nA=out', 'out'],
] as const) {
  test(`${JSON.stringify(line)} is read as docker compose reads it`, () => {
    assert.equal(parseEnvFile(line).A, value);
  });
}

test('the file lies under the environment, and a file that others can read is named', () => {
  const file = join(folder, 'open.env');
  writeFileSync(file, 'KTS_TEST_OWN=file\nKTS_TEST_NEW=secret\n');
  chmodSync(file, 0o644);
  process.env.KTS_TEST_OWN = 'process';
  const warning = loadEnvFile(file) ?? '';
  assert.equal(process.env.KTS_TEST_OWN, 'process');
  assert.equal(process.env.KTS_TEST_NEW, 'secret');
  assert.match(warning, /open\.env \(mode 0644\)/);
  assert.ok(!warning.includes('secret'));
  chmodSync(file, 0o600);
  assert.equal(loadEnvFile(file), undefined);
  assert.equal(loadEnvFile(join(folder, 'absent')), undefined);
});

test('plugins have its variables when they are loaded', async () => {
  const file = join(folder, 'kong.env');
  writeFileSync(file, 'MY_VERSION=3.2.1\n', { mode: 0o600 });
  const plugin = `exports.Version = process.env.MY_VERSION; exports.Schema = [];
exports.Plugin = class { access() {} };\n`;
  writeFileSync(join(folder, 'secret.js'), plugin);
  const args = ['serve', '-d', folder, '--dump', '--plugin', 'secret', '--env-file', file];
  const { stdout, stderr } = await new CliProcess(args).finished;
  assert.match(stdout, /"Version":"3\.2\.1"/, stderr);
});

test('a socket in a folder that is not there says so and names --socket', async () => {
  const file = join(folder, 'kong.env');
  const socket = join(folder, 'none', 'a.sock');
  const args = ['serve', '-d', folder, '--socket', socket, '--env-file', file];
  const { code, stderr } = await new CliProcess(args).finished;
  assert.equal(code, 1);
  assert.match(stderr, /the folder .*none does not exist \(--socket PATH/);
});
