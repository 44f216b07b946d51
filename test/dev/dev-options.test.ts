import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { parseFlags } from '../../src/command-line/flags.js';
import { databaseEnv } from '../../src/dev/database.js';
import { DEV_FLAGS, devOptions } from '../../src/dev/flags.js';
import { projectState } from '../../src/dev/project-state.js';
import { CliProcess } from '../support/cli.js';
import { DebuggerClient } from '../support/debugger-client.js';

const EXAMPLES = join(import.meta.dirname, '../../examples/functions');
const DEADLINE_MS = 400;
const parseDevFlags = (argv: string[]) => devOptions(parseFlags(DEV_FLAGS, argv).values);

describe('dev without a database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dev-options-'));
  const config = join(folder, 'kong.yml');
  let dev: CliProcess;
  let url: string;
  let ready: Record<string, unknown>;
  const taken = createServer();

  /** Puts another configuration in place, as an editor does, and waits until it is taken in. */
  const configure = async (text: string) => {
    const from = dev.stderr.length;
    writeFileSync(`${config}.new`, text);
    renameSync(`${config}.new`, config);
    await dev.said(new RegExp(`^[\\s\\S]{${from},}has changed: read again`));
  };

  before(async () => {
    writeFileSync(
      config,
      `_format_version: "3.0"
services:
  - { name: upstream, url: "http://upstream", routes: [{ name: all, paths: ["/"] }] }
`,
    );
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as AddressInfo;
    const inspector = ['--inspector', String(port)];
    dev = new CliProcess(['dev', '--port', '0', '--config', config, '--json', '-v', ...inspector]);
    ready = JSON.parse((await dev.said(/^\{"event":"ready".*\}$/m))[0]) as Record<string, unknown>;
    url = ready.gatewayUrl as string;
  });
  after(async () => {
    await dev.stop();
    taken.close();
    rmSync(folder, { recursive: true });
  });

  it('goes on without the inspector where its port is taken, and says so in one line', () => {
    assert.equal(ready.inspectorUrl, undefined);
    assert.match(dev.stderr, /^the inspector cannot listen on port \d+: EADDRINUSE: there is no page;.*$/m);
    assert.equal(dev.stderr.match(/inspector/g)?.length, 2);
  });

  it('says on standard output nothing but that it is ready, in JSON', () => {
    assert.equal(dev.stdout.trim().split('\n').length, 1);
    assert.equal(ready.databaseUrl, undefined);
    assert.match(dev.stderr, /^gateway +http/m);
  });

  it('says nothing of what the configuration does not have', () => {
    assert.doesNotMatch(dev.stderr, /PostgreSQL|signature/);
    assert.match(dev.stderr, /^curl -i http:\/\/127\.0\.0\.1:\d+\/$/m);
  });

  it('runs the examples with the commands at their tops', async () => {
    for (const file of readdirSync(EXAMPLES)) {
      const text = readFileSync(join(EXAMPLES, file), 'utf8');
      assert.ok(text.includes(`npm start -- --config examples/functions/${file}`), file);
      const command = /^# {3}curl (.*)$/m.exec(text)?.[1] ?? assert.fail(`${file} has no curl line`);
      const target = /http:\/\/127\.0\.0\.1:8000([^\s']*)/.exec(command)?.[1] ?? '';
      const headers = [...command.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value]);
      const body = /-d (\S+)/.exec(command)?.[1];
      await configure(text);
      const response = await fetch(url + target, {
        headers: headers as [string, string][],
        ...(body === undefined ? {} : { method: 'POST', body }),
      });
      assert.equal(response.status, 200, `${file}: ${await response.text()}`);
    }
  });

  it('notes what it does not emulate, and goes on', async () => {
    const text = readFileSync(join(EXAMPLES, 'maintenance.yml'), 'utf8');
    await configure(`${text}plugins:\n  - name: rate-limiting\n    config: { minute: 5 }\n`);
    assert.match(dev.stderr, /kong\.yml:\d+:\d+: .*rate-limiting.*\(note\)/);
    assert.equal((await fetch(`${url}/maintenance`, { headers: { 'x-tester': 'let-me-in' } })).status, 200);
  });

  it('prints requests with their calls', async () => {
    await fetch(`${url}/nowhere?token=s3cret`);
    await dev.said(/GET \/nowhere\?token=••• 404 \d+ ms \(no route\)/);
    assert.doesNotMatch(dev.stderr, /s3cret/);
    assert.match(dev.stderr, /kong\.request\.get_header\("x-tester"\)/);
  });
});

describe('dev --inspect', () => {
  it('lets a debugger hold a handler for longer than its deadline', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dev-inspect-'));
    writeFileSync(
      join(folder, 'holds.mjs'),
      `export const version = '1.0.0';
export class Plugin { async access(kong) { debugger; await kong.response.exit(200, 'went on'); } }\n`,
    );
    writeFileSync(
      join(folder, 'kong.yml'),
      `_format_version: "3.0"
services: [{ name: s, url: "http://upstream", routes: [{ paths: ["/"] }] }]
plugins: [{ name: holds }]\n`,
    );
    const dev = new CliProcess(
      ['dev', '--port', '0', '--config', join(folder, 'kong.yml'), '-d', folder, '--inspect=127.0.0.1:0'],
      { env: { ...process.env, KONG_TS_EVENT_DEADLINE_MS: String(DEADLINE_MS) } },
    );
    try {
      const [, debuggerUrl = ''] = await dev.said(/Debugger listening on (ws:\S+)/);
      const [, url = ''] = await dev.said(/^gateway +(http:\S+)/m);
      const client = await DebuggerClient.attach(debuggerUrl);
      client.send('Debugger.enable');
      client.send('Runtime.enable');
      const response = fetch(url);
      await client.event('Debugger.paused');
      // What is waited for is the deadline itself.
      await new Promise((resolve) => setTimeout(resolve, DEADLINE_MS * 4));
      client.send('Debugger.resume');
      assert.equal(await (await response).text(), 'went on');
      client.close();
    } finally {
      await dev.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the flags of dev', () => {
  it('knows which database is meant', () => {
    assert.equal(parseDevFlags([]).database, 'auto');
    assert.equal(parseDevFlags(['--no-database']).database, 'none');
    assert.deepEqual(parseDevFlags(['--database', 'postgres://a@b/c']).database, { url: 'postgres://a@b/c' });
    assert.throws(() => parseDevFlags(['--no-database', '--seed', 'x.sql']), /--seed needs a database/);
    assert.throws(() => parseDevFlags(['--no-database', '--database', 'x']), /either/);
  });

  it('has the inspector on port 8002, on another, or not at all', () => {
    assert.equal(parseDevFlags([]).inspector, 8002);
    assert.equal(parseDevFlags(['--inspector', '0']).inspector, 0);
    assert.equal(parseDevFlags(['--inspector', 'off']).inspector, undefined);
  });

  it('takes --inspect as Node does', () => {
    assert.equal(parseDevFlags(['--inspect']).inspect, '127.0.0.1:9229');
    assert.equal(parseDevFlags(['--inspect=9300']).inspect, '127.0.0.1:9300');
    assert.equal(parseDevFlags(['--inspect=0.0.0.0:1']).inspect, '0.0.0.0:1');
    assert.throws(() => parseDevFlags(['--inspect=nonsense']), /--inspect must be HOST:PORT/);
  });

  it('makes SERVER_DB_… of a URL, and repeats no password that is wrong', () => {
    assert.deepEqual(databaseEnv('postgres://jo:p%40ss@db.test:6432/shop'), {
      SERVER_DB_HOST: 'db.test',
      SERVER_DB_PORT: '6432',
      SERVER_DB_USER: 'jo',
      SERVER_DB_PASSWORD: 'p@ss',
      SERVER_DB_DATABASE: 'shop',
    });
    assert.throws(
      () => databaseEnv('mysql://jo:s3cret@db/x'),
      (error: Error) => !error.message.includes('s3cret') && /--database must be a URL/.test(error.message),
    );
  });
});

describe('the state of a project', () => {
  it('stays the same, is nobody else’s to read, and another project has another', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dev-state-'));
    const before = process.env.XDG_STATE_HOME;
    process.env.XDG_STATE_HOME = folder;
    try {
      const first = projectState(join(folder, 'one'));
      assert.equal(first.kept, true);
      assert.deepEqual(projectState(join(folder, 'one')), first);
      assert.notEqual(projectState(join(folder, 'two')).databasePassword, first.databasePassword);
    } finally {
      if (before === undefined) delete process.env.XDG_STATE_HOME;
      else process.env.XDG_STATE_HOME = before;
      rmSync(folder, { recursive: true });
    }
  });
});

test('--ignore-unknown runs a file with what nobody knows in it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-dev-unknown-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'kong.yml');
  writeFileSync(
    file,
    '_format_version: "3.0"\n_konnect: { a: b }\nplugins: [{ name: of-another-gateway }]\n',
  );
  const args = ['dev', '--port', '0', '--config', file, '--no-database', '--json'];
  const refused = await new CliProcess(args).finished;
  assert.equal(refused.code, 1);
  const dev = new CliProcess([...args, '--ignore-unknown']);
  t.after(() => dev.stop());
  await dev.said(/"event":"ready"/);
  assert.match(dev.stderr, /of-another-gateway.*ignored \(note\)/);
});
