import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PluginServerError } from '../errors.js';

/** The user and group a process is started as. */
export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root. Returns the user to start it as: `postgres` or `nobody` when we are root,
 * undefined when we are not (the process then runs as ourselves).
 *
 * @throws PluginServerError `POSTGRES_USER_MISSING` when we are root and neither user exists
 */
export function unprivilegedUser(): UnixUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new PluginServerError(
    'POSTGRES_USER_MISSING',
    'PostgreSQL cannot run as root, and this machine has no user "postgres" or "nobody" to run it as',
  );
}

function idOf(flag: '-u' | '-g', name: string): number | undefined {
  try {
    const id = Number.parseInt(
      execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
      10,
    );
    return Number.isInteger(id) && id > 0 ? id : undefined;
  } catch {
    return undefined; // no such user
  }
}

/** Whether any user may enter `path` and every folder above it. */
export function isReachableByAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
