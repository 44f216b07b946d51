import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../support/cli.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A plugin that uses what the server must share with it: one class of errors, one registry of metrics. */
const PLUGIN = `
import { HandlerExit, type Kong, metrics } from 'kong-ts-pluginserver';
export const version = '1.0.0';
export const priority = 1;
export const Schema = [{ message: { type: 'string' } }] as const;
export const seen = metrics.counter('kong_ts_packed_total', 'events', []);
export class Plugin {
  async access(kong: Kong): Promise<void> {
    await kong.response.exit(200, String(HandlerExit.name));
  }
}
`;

/** What Node runs, with the modules of the project. */
function run(folder: string, args: readonly string[]): string {
  return execFileSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('the packed package, installed into an empty folder', () => {
  let folder: string;
  let installed: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kts-package-'));
    const npm = (cwd: string, ...args: string[]) =>
      execFileSync('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], {
        cwd,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    // Packing builds, and the other tests are running what is in dist meanwhile.
    const checkout = join(folder, 'checkout');
    const left = new Set(['node_modules', 'dist', '.git'].map((name) => join(ROOT, name)));
    cpSync(ROOT, checkout, { recursive: true, filter: (path) => !left.has(path) });
    symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
    npm(checkout, 'pack', '--silent', '--pack-destination', folder);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true}');
    npm(folder, 'install', '--ignore-scripts', '--omit=dev', `./kong-ts-pluginserver-${version}.tgz`);
    installed = join(folder, 'node_modules/kong-ts-pluginserver');
    mkdirSync(join(folder, 'plugins'));
    writeFileSync(join(folder, 'plugins/packed.ts'), PLUGIN);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('holds what a team needs beside the code', () => {
    for (const path of [
      'docs',
      'examples',
      'kong.conf',
      'Dockerfile',
      'SECURITY.md',
      'db/schema.sql',
      'LICENSE',
    ]) {
      assert.ok(existsSync(join(installed, path)), path);
    }
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    assert.equal(manifest.repository.type, 'git');
    for (const { types, default: code } of Object.values<{ types: string; default: string }>(
      manifest.exports,
    )) {
      if (types !== undefined)
        assert.ok(existsSync(join(installed, types)) && existsSync(join(installed, code)));
    }
  });

  it('has a command line, which serves bundled plugins and those of the project', () => {
    const bin = join(folder, 'node_modules/.bin/kong-ts-pluginserver');
    const bundled = JSON.parse(run(folder, [bin, '--dump', '--plugin', 'customer-verification']));
    assert.equal(bundled.Plugins[0].Name, 'customer-verification');
    const own = JSON.parse(run(folder, [bin, '--dump-all-plugins', '-d', 'plugins']));
    assert.deepEqual([own.Plugins[0].Name, own.Plugins[0].Phases], ['packed', ['access']]);
  });

  it('serves metrics, and remembers customers, without the packages that are bundled', async (t) => {
    for (const name of ['prom-client', 'lru-cache'])
      assert.ok(!existsSync(join(folder, 'node_modules', name)), name);
    assert.match(readFileSync(join(installed, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8'), /=== prom-client /);
    const server = new CliProcess(['--socket', join(folder, 'p.sock'), '--metrics', '127.0.0.1:0'], {
      program: join(folder, 'node_modules/.bin/kong-ts-pluginserver'),
    });
    t.after(() => server.kill());
    const [, url] = await server.said(/metrics at (\S+)/);
    const metrics = await (await fetch(`${url}`)).text();
    assert.match(metrics, /^kong_ts_instances 0$/m);
    assert.match(metrics, /^process_cpu_seconds_total \d/m);
    assert.match(metrics, /^nodejs_gc_duration_seconds_count/m);
  });

  it('can be imported and required, the same module both ways', () => {
    writeFileSync(
      join(folder, 'use.mjs'),
      `import { createRequire } from 'node:module';
      import * as imported from 'kong-ts-pluginserver';
      import { fakeKong } from 'kong-ts-pluginserver/testing';
      import { signatureHeaders } from 'kong-ts-pluginserver/client';
      const required = createRequire(import.meta.url)('kong-ts-pluginserver');
      console.log(required.HandlerExit === imported.HandlerExit, required.metrics === imported.metrics, typeof fakeKong, typeof signatureHeaders);`,
    );
    writeFileSync(
      join(folder, 'use.cjs'),
      `console.log(typeof require('kong-ts-pluginserver').startDedicatedServer);`,
    );
    assert.equal(run(folder, ['use.mjs']).trim(), 'true true function function');
    assert.equal(run(folder, ['use.cjs']).trim(), 'function');
  });

  it('has types without a word from anywhere else', () => {
    const options = { strict: true, noEmit: true, module: 'nodenext', target: 'es2022', types: [] };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, include: ['plugins'] }),
    );
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder],
      { encoding: 'utf8' },
    );
    assert.deepEqual([status, stdout], [0, '']);
  });

  it('tells a Node that is too old so in one line', () => {
    const old = join(folder, 'old.cjs');
    writeFileSync(
      old,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });`,
    );
    for (const args of [[], ['dev'], ['check'], ['--dump-all-plugins']]) {
      const bin = join(installed, 'bin/kong-ts-pluginserver.cjs');
      const { status, stderr, stdout } = spawnSync(process.execPath, ['--require', old, bin, ...args], {
        encoding: 'utf8',
      });
      assert.deepEqual(
        [status, stdout, stderr],
        [1, '', 'kong-ts-pluginserver needs Node 20.19 or later; this is 18.20.4\n'],
      );
    }
  });
});
