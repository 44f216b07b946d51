import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { command as newCommand } from '../../src/commands/new.js';
import { startTestGateway } from '../../src/testing/index.js';
import { CliProcess } from '../support/cli.js';
import { full } from '../support/full.js';
import { type Container, Images, imagesLeftOut } from '../support/images.js';
import { settings } from '../support/settings.js';

// Every Dockerfile is built as it stands, and what Kong would run in the image is run in it: as the image's user, with a
// root that cannot be written to and no environment. Kong itself is not in it; the local gateway asks in its place.

const ROOT = join(import.meta.dirname, '../..');
const skip = imagesLeftOut || (full ? false : 'it builds images: npm run test:images');

describe('the images', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-images-test-'));
  const images = new Images();
  const started: CliProcess[] = [];

  /** A folder that is the volume of a container, of the user who runs there. */
  const volume = (name: string, user: number): string => {
    const path = join(folder, name);
    mkdirSync(path);
    chownSync(path, user, user);
    return path;
  };
  const start = (runner: readonly string[], command: readonly string[]): CliProcess => {
    const [program = '', ...args] = command;
    const process = new CliProcess(args, { runner, program });
    started.push(process);
    return process;
  };
  const finish = async (runner: readonly string[], command: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await start(runner, command).finished;
    assert.equal(code, 0, stderr);
    return stdout;
  };
  /** What a request through the local gateway is answered when a plugin of the image is asked. */
  const ask = async (socket: string, plugin: string, config: object, directory?: string) => {
    await using gateway = await startTestGateway({
      plugins: directory ?? join(ROOT, 'plugins'),
      routes: [{ paths: ['/'], plugins: [{ name: plugin, config }] }],
      socket,
    });
    const { status, body } = await gateway.request('/');
    return { status, body };
  };
  /** Runs every command of kong.conf's or of the environment's, and sees each server answer. */
  const runEntries = async (runner: readonly string[], conf: ReadonlyMap<string, string>) => {
    for (const [key, command] of conf) {
      if (!key.toLowerCase().endsWith('_query_cmd')) continue;
      const { Protocol, Plugins } = JSON.parse(await finish(runner, command.split(' ')));
      assert.equal(Protocol, 'ProtoBuf:1', key);
      assert.equal(Plugins[0].Name.replaceAll('-', '_'), /server_(.*)_query/i.exec(key)?.[1]?.toLowerCase());
    }
    for (const [key, command] of conf) {
      if (!key.toLowerCase().endsWith('_start_cmd')) continue;
      const socket = /--socket (\S+)/.exec(command)?.[1] as string;
      await start(runner, command.split(' ')).said(/server started/);
      await finish(
        runner,
        [command.split(' serve')[0] as string, 'health', '--socket', socket].flatMap((part) =>
          part.split(' '),
        ),
      );
    }
  };

  before(() => images.makeBases());
  after(async () => {
    for (const process of started) await process.stop('SIGINT');
    images.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('Dockerfile: as user kong, every command of its kong.conf', async () => {
    images.build(ROOT, 'Dockerfile', 'registry.example.com/kong-ts-pluginserver:1.0.0');
    const container: Container = images.container('registry.example.com/kong-ts-pluginserver:1.0.0');
    assert.equal(container.config.User, 'kong');
    const prefix = volume('kong', 1000);
    const runner = container.runner(prefix, '/usr/local/kong');
    await assert.rejects(finish(runner, ['/bin/sh', '-c', '>/opt/kong-ts-pluginserver/x']));
    assert.match(await finish(runner, ['/usr/bin/id', '-u']), /^1000$/m);
    const written = readdirSync(join(container.root, 'opt/kong-ts-pluginserver/dumps'));
    assert.equal(written.length, 3, 'one for each question of kong.conf that the image answers');
    await runEntries(runner, settings(readFileSync(join(container.root, 'etc/kong/kong.conf'), 'utf8')));
    const config = { access: [`kong.response.exit(200, 'from the image')`] };
    assert.deepEqual(await ask(join(prefix, 'plugins.sock'), 'js-pre-function', config), {
      status: 200,
      body: 'from the image',
    });
  });

  it('Dockerfile.sidecar: as user 10001, with the dumps beside the socket and no npm', async () => {
    images.build(ROOT, 'Dockerfile.sidecar', 'kong-ts-pluginserver-sidecar');
    const container = images.container('kong-ts-pluginserver-sidecar');
    assert.equal(container.config.User, '10001:10001');
    const shared = volume('sidecar', 10001);
    const runner = container.runner(shared, '/run/kong-ts');
    await start(runner, container.command).said(/server started/);
    await finish(runner, [
      '/usr/local/bin/kong-ts-pluginserver',
      'health',
      '--socket',
      '/run/kong-ts/customer-verification.sock',
    ]);
    const dump = JSON.parse(readFileSync(join(shared, 'dumps/customer-verification.json'), 'utf8'));
    assert.equal(dump.Plugins[0].Name, 'customer-verification');
    await assert.rejects(finish(runner, ['/bin/ls', '/usr/local/bin/npm']));
  });

  it('the Dockerfile of a new project', async () => {
    const project = join(folder, 'project');
    const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .at(-1) as string;
    assert.equal(await newCommand.run(['--project', project, '--package', `file:./${tarball}`]), 0);
    cpSync(join(folder, tarball), join(project, tarball));
    execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { cwd: project });
    images.build(project, 'Dockerfile', 'new-project');
    const container = images.container('new-project');
    assert.equal(container.config.User, 'kong');
    const cache = join(container.root, 'opt/plugins/node_modules/kong-ts-pluginserver/dist/compile-cache');
    assert.ok(readdirSync(cache).length > 0, 'the compile cache is filled');
    const prefix = volume('project-prefix', 1000);
    await runEntries(container.runner(prefix, '/usr/local/kong'), container.variables);
    assert.equal((await ask(join(prefix, 'hello.sock'), 'hello', {}, join(project, 'plugins'))).status, 401);
  });

  it("docs/deploy.md: one's own plugins on the image of this repository", async () => {
    const project = join(folder, 'project');
    const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
    const lines = [...page.matchAll(/^```dockerfile\n(.*?)^```/gms)].map(([, text]) => text).join('');
    // The package comes from a file here.
    const text = lines.replace('COPY package.json', 'COPY *.tgz package.json').replaceAll('greeter', 'hello');
    assert.notEqual(text, lines);
    writeFileSync(join(project, 'Dockerfile.docs'), text);
    images.build(project, 'Dockerfile.docs', 'on-our-image');
    const container = images.container('on-our-image');
    assert.equal(container.config.User, 'kong');
    const prefix = volume('own-prefix', 1000);
    const runner = container.runner(prefix, '/usr/local/kong');
    const program = '/usr/local/bin/kong-ts-pluginserver';
    const printed = await finish(runner, [
      ...[program, 'conf', '-d', '/opt/plugins/dist/plugins'],
      ...['--workers', '2', '--env'],
    ]);
    await runEntries(runner, settings(printed));
    assert.equal((await ask(join(prefix, 'hello.sock'), 'hello', {}, join(project, 'plugins'))).status, 401);
  });
});
