import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

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
    const native = production.flatMap(([path]) =>
      filesIn(path).filter((file) => /(\.node|binding\.gyp)$/.test(file)),
    );
    assert.deepEqual(native, []);
  });

  it('may be passed on', () => {
    const others = production.filter(([, { license }]) => !LICENCES.has(license ?? ''));
    assert.deepEqual(others, []);
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
