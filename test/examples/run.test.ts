import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Postgres } from '../../src/dev/postgres.js';
import { CliProcess } from '../support/cli.js';
import { startPostgres } from '../support/postgres.js';

const EXAMPLES = join(import.meta.dirname, '../../examples/plugins');
const NAMES = readdirSync(EXAMPLES);

const folder = mkdtempSync(join(tmpdir(), 'examples-'));
const config = join(folder, 'kong.yml');
let postgres: Postgres;
let dev: CliProcess;
let ready: { gatewayUrl: string; databaseUrl: string };

before(async () => {
  postgres = await startPostgres();
  writeFileSync(config, readFileSync(join(EXAMPLES, 'api-key/kong.yml')));
  const seed = join(EXAMPLES, 'api-key/schema.sql');
  dev = new CliProcess([
    ...['dev', '--json', '--port', '0', '-d', EXAMPLES, '--config', config],
    ...['--database', postgres.url, '--seed', seed],
  ]);
  ready = JSON.parse((await dev.said(/^\{"event":"ready".*\}$/m))[0]);
});
after(async () => {
  await dev?.stop();
  await postgres?.dispose();
  rmSync(folder, { recursive: true });
});

test('--database is used and --seed runs in it; its password is in no line', () => {
  assert.match(ready.databaseUrl, /^postgres:\/\/kong:\*\*\*@127\.0\.0\.1:\d+\/postgres$/);
  assert.ok(!`${dev.stdout}${dev.stderr}`.includes(postgres.password));
});

for (const name of NAMES) {
  test(`${name} runs with the command at its top`, async () => {
    const source = readFileSync(join(EXAMPLES, name, 'index.ts'), 'utf8');
    assert.ok(source.includes(`npm start -- -d examples/plugins --config examples/plugins/${name}/kong.yml`));
    const from = dev.stderr.length;
    writeFileSync(`${config}.new`, readFileSync(join(EXAMPLES, name, 'kong.yml')));
    renameSync(`${config}.new`, config);
    await dev.said(new RegExp(`^[\\s\\S]{${from},}has changed: read again`));
    const command = /^\/\/ {3}curl (.*)$/m.exec(source)?.[1] ?? assert.fail('no curl line');
    const path = /http:\/\/127\.0\.0\.1:8000([^\s']*)/.exec(command)?.[1] ?? '';
    const headers = [...command.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, key, value]) => [key, value]);
    const response = await fetch(ready.gatewayUrl + path, { headers: headers as [string, string][] });
    assert.equal(response.status, 200, await response.text());
  });
}
