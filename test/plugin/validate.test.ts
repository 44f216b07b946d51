import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadPlugins } from '../../src/plugin/loader.js';
import { runCli } from '../support/cli.js';
import { serving } from '../support/serving.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-validate-'));
after(() => rmSync(folder, { recursive: true }));

/** Functions that break their contract, each with what is said of it behind the name of its file. */
const BROKEN: Record<string, [source: string, said: string]> = {
  awaited: ['async () => []', 'returned a promise'],
  rejected: ["async () => { throw new Error('unheard') }", 'returned a promise'],
  verdict: ['() => true', 'returned a boolean'],
  text: ["() => 'no s3cret'", 'returned a string'],
  table: ['({ key }) => ({ ok: false, key })', 'returned an object with the keys [ok, key]'],
  nested: ["() => [{ path: [], message: 'm' }, { path: [{}], message: 'm' }]", 'at index 1'],
  unplaced: ["() => [{ path: [], message: 'm', position: {} }]", 'at index 0'],
  throwing: ["() => { throw new TypeError('no such table') }", 'threw: no such table (at '],
};
const names = Object.keys(BROKEN);

for (const [name, [source]] of Object.entries(BROKEN)) {
  writeFileSync(
    join(folder, `${name}.mjs`),
    `export const version = '1.0.0';
export const Schema = [{ key: { type: 'string', default: 's3cret' } }];
export const validate = ${source};
export class Plugin { access() {} }`,
  );
}
const config = join(folder, 'kong.yml');
writeFileSync(
  config,
  `_format_version: "3.0"\nplugins:\n${names.map((name) => `  - name: ${name}\n`).join('')}`,
);

/** Whether each plugin is told of with its name, its file, and what its function did; and nothing of its configuration. */
function tellsOfAll(text: string): void {
  for (const [name, [, said]] of Object.entries(BROKEN)) {
    const file = join(folder, `${name}.mjs`);
    const line = text.split('\n').find((one) => one.includes(`plugin "${name}"`)) ?? '';
    assert.ok(line.includes(`its validate in ${file} `) && line.includes(said), `${name}: ${line}\n${text}`);
  }
  assert.doesNotMatch(text, /s3cret|unheard/);
}

describe('a validate that throws, is asynchronous, or returns something else', () => {
  it('is a fault in check, at the plugin’s line', async () => {
    const { code, stdout, stderr } = await runCli(['check', config, '-d', folder]);
    assert.deepEqual([code, stderr], [1, '']);
    tellsOfAll(stdout);
    assert.match(stdout, /kong\.yml:3:\d+: plugin "awaited": config: its validate/);
    assert.match(stdout, /\(at .*throwing\.mjs:3:\d+\)$/m);
  });

  it('keeps the local gateway from starting', async () => {
    const { code, stdout, stderr } = await runCli([
      'dev',
      ...['--config', config, '-d', folder, '--no-database', '--port', '0', '--inspector', 'off'],
    ]);
    assert.equal(code, 1, stdout);
    tellsOfAll(stderr);
  });

  it('refuses the instance, says why in Kong’s log, and leaves the server as it was', async (t) => {
    const { plugins } = await loadPlugins(folder);
    const server = await serving(t, {}, { plugins });
    const said: string[] = [];
    for (const name of names) {
      const peer = server.peer();
      const { calls, end } = await peer.event((await peer.start(name, { key: 's3cret' })) as number);
      assert.equal(end, 'exit');
      said.push(JSON.stringify(calls[0]).replaceAll('\\"', '"'));
    }
    tellsOfAll(said.join('\n'));
    tellsOfAll(server.lines.filter((line) => line.includes('[error]')).join('\n'));
  });
});
