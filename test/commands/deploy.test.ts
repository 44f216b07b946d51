import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CliProcess } from '../support/cli.js';
import { settings } from '../support/settings.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-deploy-'));
after(() => rmSync(folder, { recursive: true }));

describe('conf', () => {
  const shipped = settings(readFileSync('kong.conf', 'utf8'));
  const FUNCTIONS = ['js-pre-function', 'js-post-function', 'js-response-function'];

  it('prints what the shipped kong.conf says', async () => {
    const names = ['customer-verification', ...FUNCTIONS].flatMap((name) => ['--plugin', name]);
    const args = ['conf', ...names, '--workers', '2', '--sock-name', 'plugins.sock'];
    const [asked, written] = await Promise.all([
      new CliProcess(args).finished,
      new CliProcess([...args, '--dumps', '/opt/dumps']).finished,
    ]);
    for (const { code, stderr } of [asked, written]) assert.deepEqual([code, stderr], [0, '']);
    const expected = new Map(settings(asked.stdout));
    assert.deepEqual(
      new Map([...shipped].filter(([setting]) => setting.startsWith('plugin')).sort()),
      new Map([...expected].sort()),
    );
    for (const name of ['customer-verification', ...FUNCTIONS]) {
      expected.set(`pluginserver_${name.replaceAll('-', '_')}_query_cmd`, `/bin/cat /opt/dumps/${name}.json`);
    }
    assert.deepEqual(settings(written.stdout), expected);
  });

  it('prints environment variables, and the entries of a sidecar', async () => {
    const args = ['conf', '--plugin', 'hello', '--env', '--sidecar', '/dumps', '-p', '/kong_prefix'];
    const { stdout } = await new CliProcess(args).finished;
    assert.equal(
      stdout,
      `KONG_PLUGINS=bundled,hello
KONG_PLUGINSERVER_NAMES=hello
KONG_PLUGINSERVER_HELLO_SOCKET=/kong_prefix/hello.sock
KONG_PLUGINSERVER_HELLO_QUERY_CMD=/bin/cat /dumps/hello.json
`,
    );
  });

  it('names the file with the variables in every command', async () => {
    const args = ['conf', '--plugin', 'hello', '--env-file', '/etc/kong/hello.env', '--command', '/bin/k'];
    const { stdout } = await new CliProcess(args).finished;
    const flags = '--plugin hello --env-file /etc/kong/hello.env --socket /usr/local/kong/hello.sock';
    const printed = settings(stdout);
    assert.equal(printed.get('pluginserver_hello_start_cmd'), `/bin/k serve ${flags}`);
    assert.equal(printed.get('pluginserver_hello_query_cmd'), `/bin/k --dump ${flags}`);
    const relative = await new CliProcess(['conf', '--plugin', 'hello', '--env-file', 'hello.env']).finished;
    assert.equal(relative.code, 2);
    assert.match(relative.stderr, /--env-file must be a full path, not "hello\.env"/);
  });

  it('names what is wrong', async () => {
    const absent = await new CliProcess(['conf', '--plugin', 'absent']).finished;
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /absent/);
    const wrong = await new CliProcess(['conf', '--workers', 'many']).finished;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--workers must be a whole number from 1 to 64, not "many"/);
  });
});

describe('a server that somebody else starts', () => {
  it('writes its dumps before it listens, and answers health and its probes', async (t) => {
    const socket = join(folder, 'hello.sock');
    const dumps = join(folder, 'dumps');
    const health = () => new CliProcess(['health', '--socket', socket]).finished;
    const before = await health();
    assert.deepEqual([before.code, before.stdout], [1, '']);
    const flags = ['--plugin', 'hello', '--plugin', 'js-pre-function', '--linger', '0'];
    const server = new CliProcess([
      'serve',
      ...flags,
      ...['--socket', socket, '--write-dump', dumps, '--metrics', '127.0.0.1:0'],
    ]);
    t.after(() => server.child.kill('SIGKILL'));
    const [, url] = await server.said(/metrics at (http:\S+)\/metrics/);
    await server.said(/server started/);
    assert.equal((await health()).code, 0);
    assert.deepEqual(readdirSync(dumps).sort(), ['hello.json', 'js-pre-function.json']);
    for (const name of ['hello', 'js-pre-function']) {
      const args = ['--dump', '--plugin', name, '--socket', socket];
      const { stdout } = await new CliProcess(args).finished;
      assert.equal(readFileSync(join(dumps, `${name}.json`), 'utf8'), stdout);
    }
    const answer = await fetch(`${url}/health`);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { status: 'ok', workers: { ready: 1, of: 1 }, reaches: {} });
    server.child.kill('SIGTERM');
    await server.finished;
    assert.equal((await health()).code, 1);
  });

  it('does not take just any socket for healthy', async (t) => {
    const socket = join(folder, 'other.sock');
    const other = createServer((connection) => connection.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      socket,
    );
    t.after(() => other.close());
    const { code } = await new CliProcess(['health', '--socket', socket]).finished;
    assert.equal(code, 1);
  });
});

describe('--dump --lua', () => {
  it('prints the schema of one plugin', async () => {
    const { code, stdout } = await new CliProcess(['--dump', '--lua', '--plugin', 'hello']).finished;
    assert.equal(code, 0);
    assert.match(stdout, /^-- The schema of the plugin hello 1\.0\.0/);
    assert.match(stdout, /return \{\n? *name = "hello"/);
  });
});
