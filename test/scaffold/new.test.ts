import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { command as newCommand } from '../../src/commands/new.js';
import { configLines } from '../../src/scaffold/plugin.js';
import { startTestGateway } from '../../src/testing/index.js';
import { CliProcess } from '../support/cli.js';
import { full } from '../support/full.js';

const ROOT = join(import.meta.dirname, '../..');

describe('new', () => {
  let folder: string;
  const written: string[] = [];
  const { write } = process.stdout;
  const { write: writeError } = process.stderr;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'new-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs the command in this process and keeps what it prints. */
  const command = async (...args: string[]) => {
    written.length = 0;
    const keep = (text: string) => {
      written.push(text);
      return true;
    };
    process.stdout.write = keep as typeof write;
    process.stderr.write = keep as typeof write;
    try {
      return await newCommand.run(args);
    } finally {
      process.stdout.write = write;
      process.stderr.write = writeError;
    }
  };

  it('writes a plugin that runs with the lines for kong.yml that it prints', async () => {
    assert.equal(await command('my-greeter', '-d', folder), 0);
    const printed = written.join('');
    assert.ok(printed.includes(configLines('my-greeter').trimEnd()));
    await using gateway = await startTestGateway({
      plugins: folder,
      config: `_format_version: "3.0"
services: [{ name: s, url: "http://upstream", routes: [{ paths: ["/"] }] }]
${configLines('my-greeter')}`,
    });
    assert.equal((await gateway.request('/')).status, 401);
    const { upstream } = await gateway.request('/', { headers: { 'x-name': 'Jo' } });
    assert.equal(upstream?.headers['x-greeting'], 'hello, Jo');
  });

  it('leaves files alone that exist, and then writes none', async () => {
    const file = join(folder, 'my-greeter/index.ts');
    writeFileSync(file, 'mine');
    rmSync(join(folder, 'my-greeter/index.test.ts'));
    assert.equal(await command('my-greeter', '-d', folder), 1);
    assert.match(written.join(''), /nothing was written: there is .*my-greeter\/index\.ts already/);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.throws(() => readFileSync(join(folder, 'my-greeter/index.test.ts')), /ENOENT/);
  });

  it('refuses names that Kong or a file system would not have', async () => {
    for (const name of ['../x', 'Big', 'a_b', '-x', 'a--b', '']) {
      assert.equal(await command(name, '-d', folder), 2, name);
    }
    assert.equal(await command(), 2);
    assert.equal(await command('a', 'b'), 2);
  });

  it('writes a project whose tools have the versions that this package is developed with', async () => {
    const project = join(folder, 'My Project');
    assert.equal(await command('--project', project, 'first'), 0);
    const { name, devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
    const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(name, 'my-project');
    assert.equal(devDependencies.tsx, own.devDependencies.tsx);
    assert.match(readFileSync(join(project, 'Dockerfile'), 'utf8'), /KONG_PLUGINS=bundled,first/);
    assert.match(readFileSync(join(project, 'kong.yml'), 'utf8'), /- name: first/);
  });
});

describe('a new project from the packed package', {
  skip: full ? false : 'it installs packages: npm run test:full',
}, () => {
  let folder: string;
  let project: string;
  const inProject = (program: string, ...args: string[]) =>
    execFileSync(program, args, {
      cwd: project,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      // Under a test runner, node --test in a child would report to that one instead of printing.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });

  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'new-project-')));
    project = join(folder, 'project');
    execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: 'pipe' });
    const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .at(-1);
    const cli = join(
      ROOT,
      JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).bin['kong-ts-pluginserver'],
    );
    execFileSync(process.execPath, [
      cli,
      'new',
      '--project',
      project,
      '--package',
      `file:${folder}/${tarball}`,
    ]);
    inProject('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('npm test', () => {
    assert.match(inProject('npm', 'test'), /^# pass 3$/m);
  });

  it('npm run check and npm run build', () => {
    assert.match(inProject('npm', 'run', 'check'), /kong\.yml: no faults/);
    inProject('npm', 'run', 'build');
    assert.ok(readFileSync(join(project, 'dist/plugins/hello/index.js'), 'utf8').includes('class Plugin'));
  });

  it('npm start', async () => {
    const dev = new CliProcess(['start', '--', '--port', '0'], { program: 'npm', cwd: project });
    try {
      const [, url = ''] = await dev.said(/^gateway +(http:\S+)/m);
      assert.equal((await fetch(url)).status, 401);
      assert.equal((await fetch(url, { headers: { 'x-name': 'Jo' } })).status, 200);
    } finally {
      await dev.stop('SIGTERM');
    }
  });

  it('the test kit in Vitest and in Jest, several files at a time', () => {
    inProject('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--no-save', 'vitest', 'jest');
    for (const name of ['a', 'b', 'c']) {
      writeFileSync(
        join(project, `${name}.spec.js`),
        `import { startTestGateway } from 'kong-ts-pluginserver/testing';
class Plugin { access(kong) { kong.service.request.setHeader('x-a', '${name}'); } }
test('${name}', async () => {
  const gateway = await startTestGateway({ plugins: { p: { version: '1.0.0', Plugin } } });
  expect((await gateway.request('/')).upstream.headers['x-a']).toBe('${name}');
  await gateway.close();
});\n`,
      );
    }
    const vitest = inProject('npx', 'vitest', 'run', '--globals', '--reporter=json', '.spec.js');
    assert.equal(JSON.parse(vitest.slice(vitest.indexOf('{'))).numPassedTests, 3);
    const jest = execFileSync('npx', ['jest', '--json', '.spec.js'], {
      cwd: project,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules' },
    });
    assert.equal(JSON.parse(jest.slice(jest.indexOf('{'))).numPassedTests, 3);
  });
});
