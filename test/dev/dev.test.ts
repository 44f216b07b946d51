import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { signatureHeaders } from '../../plugins/customer-verification/client/signer.js';
import { childrenOf, isAlive } from '../../src/dev/processes.js';
import { CLI, NODE_CLI } from '../support/command-line.js';

const ROOT = join(import.meta.dirname, '../..');
const UUID = '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346';

/** A `dev` process and the lines it has printed. */
class Dev {
  readonly lines: string[] = [];
  readonly child: ChildProcess;
  readonly ended: Promise<number>;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [...NODE_CLI, 'dev', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    }
    this.ended = once(this.child, 'close').then(([code]) => code as number);
  }

  /** Waits for a line, also one printed before. */
  async line(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const found = await eventually(() => {
      const line = this.lines.slice(from).find((text) => pattern.test(text));
      if (line === undefined && this.child.exitCode !== null) throw new Error(this.lines.join('\n'));
      return line;
    });
    return pattern.exec(found) as RegExpExecArray;
  }
}

async function eventually<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 100_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    assert.ok(Date.now() < deadline, 'it did not happen within 100 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let folder: string;
let dev: Dev;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dev-test-'));
  const kongYml = await readFile(join(ROOT, 'kong.yml'), 'utf8');
  await writeFile(join(folder, 'kong.yml'), kongYml.replace('plugins:', 'plugins:\n  - name: greeter'));
  // A plugin to change, beside the one that kong.yml asks for.
  const plugins = join(folder, 'plugins');
  await mkdir(plugins);
  await writeFile(join(plugins, 'greeter.mjs'), greeter('hello'));
  for (const file of ['customer-verification/index.js', 'js-pre-function.js']) {
    const original = JSON.stringify(join(dirname(dirname(CLI)), 'plugins', file));
    const name = file.replace(/[/.].*$/, '');
    await writeFile(join(plugins, `${name}.mjs`), `export * from ${original};`);
  }
  dev = new Dev('--port', '0', '--config', join(folder, 'kong.yml'), '--plugins-directory', plugins);
  url = (await dev.line(/^gateway +(http:\S+)/))[1] ?? '';
});

after(async () => {
  dev.child.kill('SIGTERM');
  await dev.ended;
  await rm(folder, { recursive: true });
});

function greeter(greeting: string): string {
  return `
    export const Schema = [];
    export const version = '1.0.0';
    export const priority = 5;
    export class Plugin {
      async access(kong) {
        await kong.response.setHeader('X-Greeting', '${greeting}');
      }
    }
  `;
}

async function signedRequest(headers: Record<string, string> = {}): Promise<Response> {
  const signed = await signatureHeaders({ certificateId: 'demo-certificate', key: 'demo-key' });
  return fetch(`${url}/some/path`, { headers: { ...signed, ...headers } });
}

async function statusBecomes(status: number): Promise<void> {
  await eventually(async () => (await signedRequest()).status === status);
}

test('says first that it is not for production', () => {
  assert.match(dev.lines[0] ?? '', /for development and tests, not for production/);
});

test('the printed curl lines get what they say', async () => {
  await dev.line(/^Ctrl-C stops/);
  const commands = dev.lines.filter((line) => line.startsWith('curl -i'));
  const statuses = [];
  for (const command of commands) {
    const headers = [...command.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value]);
    const target = command.split(' ').at(-1) ?? '';
    statuses.push((await fetch(target, { headers: headers as [string, string][] })).status);
  }
  assert.deepEqual(statuses, [200, 403, 400]);
});

test('the upstream is told the customer once, whatever the client says', async () => {
  const response = await signedRequest({ 'x-customer-id': 'somebody else' });
  const echoed = (await response.json()) as { headers: [string, string][] };
  const ids = echoed.headers.filter(([name]) => name.toLowerCase() === 'x-customer-id');
  assert.deepEqual(
    ids.map(([, value]) => value),
    [UUID],
  );
});

test('a plugin server that is killed is started again', async () => {
  const server = await pluginServerPid();
  process.kill(server, 'SIGKILL');
  await eventually(async () => (await pluginServerPid().catch(() => server)) !== server);
  await statusBecomes(200);
});

test('SIGUSR2 stops PostgreSQL and starts it again', async () => {
  await statusBecomes(200);
  const from = dev.lines.length;
  dev.child.kill('SIGUSR2');
  await dev.line(/^PostgreSQL is stopped/, from);
  // Remembered customers are still let through; an unknown one has to be looked up.
  const unknown = await signatureHeaders({ certificateId: 'never seen before', key: 'x' });
  assert.equal((await fetch(url, { headers: unknown })).status, 403);
  dev.child.kill('SIGUSR2');
  await dev.line(/^PostgreSQL is running again/, from);
  await statusBecomes(200);
});

test('kong.yml is read again when it changes; a faulty one is named and not used', async () => {
  const file = join(folder, 'kong.yml');
  const text = await readFile(file, 'utf8');
  let from = dev.lines.length;
  await writeFile(file, text.replace('plugins:', 'plugins:\n  - name: no-such-plugin'));
  await dev.line(/has changed, but: .*kong\.yml:\d+:\d+: .*no-such-plugin/, from);
  assert.equal((await signedRequest()).status, 200);
  from = dev.lines.length;
  await writeFile(file, text.replace('- /\n', '- /only\n'));
  await dev.line(/has changed: read again/, from);
  assert.equal((await signedRequest()).status, 404);
  await writeFile(file, text);
  await statusBecomes(200);
});

/** kong.yml with a function that does not compile: the fault is in line 3 at column 58. */
async function withFaultyFunction(): Promise<string> {
  const text = await readFile(join(ROOT, 'kong.yml'), 'utf8');
  const plugin = `{ name: js-pre-function, config: { access: ["return (;"] } }`;
  return `_format_version: "3.0"\nplugins:\n  - ${plugin}${text.split('plugins:')[1]}`;
}

test('a function that does not compile is named with its place in the file, when it is read again', async () => {
  const file = join(folder, 'kong.yml');
  const text = await readFile(file, 'utf8');
  const from = dev.lines.length;
  await writeFile(file, await withFaultyFunction());
  await dev.line(/has changed, but: .*kong\.yml:3:58: plugin "js-pre-function": config\.access\[0\]: /, from);
  assert.equal((await signedRequest()).status, 200);
  await writeFile(file, text);
  await dev.line(/has changed: read again/, from);
});

test('and at start, which it ends', async () => {
  const file = join(folder, 'faulty.yml');
  await writeFile(file, await withFaultyFunction());
  const failing = new Dev('--port', '0', '--config', file);
  assert.equal(await failing.ended, 1);
  assert.match(failing.lines.join('\n'), /faulty\.yml:3:58: plugin "js-pre-function": config\.access\[0\]: /);
});

test('the plugin server starts anew when the source of a plugin changes, also its phases', async () => {
  assert.equal((await signedRequest()).headers.get('x-greeting'), 'hello');
  const changed = greeter('good day').replace('async access', 'async rewrite');
  await writeFile(join(folder, 'plugins/greeter.mjs'), changed);
  await dev.line(/the plugins have changed/);
  await eventually(async () => {
    // The gateway is opened anew on its port meanwhile.
    const response = await signedRequest().catch(() => undefined);
    return response?.headers.get('x-greeting') === 'good day';
  });
});

test('a missing configuration is named', async () => {
  const failing = new Dev('--port', '0', '--config', 'no-such-kong.yml');
  assert.equal(await failing.ended, 1);
  assert.match(
    failing.lines.join('\n'),
    /cannot read the configuration \S+no-such-kong\.yml: there is no such file/,
  );
});

test('a port in use is named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const failing = new Dev('--port', String(port));
  assert.equal(await failing.ended, 1);
  assert.match(failing.lines.join('\n'), new RegExp(`port ${port} is in use`));
  other.close();
});

test('a stop leaves no process and no folder behind', async () => {
  const socket = (await dev.line(/server started at path ([^\s,]+)/))[1] ?? '';
  const pids = childrenOf(dev.child.pid ?? 0);
  assert.ok(pids.length >= 3, 'PostgreSQL, the plugin server, the guard');
  dev.child.kill('SIGINT');
  assert.equal(await dev.ended, 0);
  // The compiler that tsx keeps as a child sees the end of its pipe, a moment after our own end.
  await eventually(() => !pids.some(isAlive));
  assert.equal(existsSync(dirname(socket)), false);
});

async function pluginServerPid(): Promise<number> {
  const lines = dev.lines.filter((line) => /server started at path/.test(line));
  return Number(/pid (\d+)/.exec(lines.at(-1) ?? '')?.[1]);
}
