import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LICENCES_FILE, packagesIn } from '../build/third-party.js';

const ROOT = join(import.meta.dirname, '..');
/** Licences under which the image may be passed on without more ado. */
const LICENCES = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
]);

interface LockedPackage {
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly license?: string;
  readonly resolved?: string;
  readonly integrity?: string;
}

const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};
const production = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
/** Built in, so that they need not be installed. */
const bundled = packagesIn(readFileSync(join(ROOT, 'dist', LICENCES_FILE), 'utf8'));
const shipped = [
  ...production,
  ...bundled.map((name) => [`node_modules/${name}`, lock.packages[`node_modules/${name}`] ?? {}] as const),
];

describe('the production dependencies', () => {
  it('are all in the lock file, with their checksums', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const paths = production.map(([path]) => path);
    for (const [name, version] of Object.entries(dependencies)) {
      assert.ok(paths.includes(`node_modules/${name}`), name);
      assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`);
    }
    for (const [path, { integrity }] of production) assert.match(integrity ?? '', /^sha512-/, path);
  });

  it('run nothing when they are installed', () => {
    assert.deepEqual(
      production.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
      [],
    );
  });

  it('have no native code', () => {
    const native = shipped.flatMap(([path]) =>
      filesIn(path).filter((file) => /(\.node|binding\.gyp)$/.test(file)),
    );
    assert.deepEqual(native, []);
  });

  it('may be passed on', () => {
    const others = shipped.filter(([, { license }]) => !LICENCES.has(license ?? ''));
    assert.deepEqual(others, []);
  });

  it('take at most 15 MB on disk', () => {
    const blocks = production.flatMap(([path]) =>
      filesIn(path).map((file) => Math.ceil(statSync(join(ROOT, path, file)).size / 4096)),
    );
    const kilobytes = 4 * blocks.reduce((sum, size) => sum + size, 0);
    assert.ok(kilobytes > 1024 && kilobytes <= 15 * 1024, `${kilobytes} KB`);
  });
});

describe('the packages that are bundled', () => {
  it('are these, each with its licence', () => {
    assert.deepEqual(bundled, [
      '@opentelemetry/api',
      'bintrees',
      'htm',
      'lru-cache',
      'preact',
      'prom-client',
      'tdigest',
    ]);
  });

  it('are audited as those that are installed, and what only builds is not', () => {
    const advisory = (path: string) => ({ severity: 'high', nodes: [path] });
    const report = (name: string) => ({ [name]: advisory(`node_modules/${name}`) });
    const audit = (input: object) =>
      spawnSync(process.execPath, ['--import', 'tsx', 'build/audit.ts'], {
        cwd: ROOT,
        encoding: 'utf8',
        input: JSON.stringify(input),
      });
    const known = audit({
      vulnerabilities: { ...report('tdigest'), ...report('pg'), ...report('typescript') },
    });
    assert.equal(known.stdout, 'tdigest: high, see npm audit\npg: high, see npm audit\n');
    assert.equal(known.status, 1);
    assert.equal(audit({ vulnerabilities: report('typescript') }).status, 0);
    assert.match(audit({ message: '405' }).stdout, /could not be asked for: 405/);
  });
});

/** Of an optional package that is not for this machine there are none. */
function filesIn(path: string): string[] {
  try {
    return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
