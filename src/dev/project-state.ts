import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** What `dev` keeps between its runs, so that an address noted down yesterday is still right. */
export interface ProjectState {
  /** The embedded PostgreSQL's. */
  readonly databasePort: number;
  readonly databasePassword: string;
}

/** Above the registered ports and below those that systems hand out for outgoing connections. */
const FIRST_PORT = 21_000;
const PORTS = 8_000;

/**
 * The state of the project in `folder`, made at its first run. It lies where tools keep their caches, in node_modules,
 * or else in the user's own state folder, for this user to read only.
 *
 * @returns also whether it could be kept
 */
export function projectState(folder: string): ProjectState & { readonly kept: boolean } {
  const project = resolve(folder);
  const file = join(stateFolder(project), 'dev.json');
  const before = readState(file);
  if (before !== undefined) return { ...before, kept: true };
  const hash = createHash('sha256').update(project).digest();
  const state: ProjectState = {
    databasePort: FIRST_PORT + (hash.readUInt32BE(0) % PORTS),
    databasePassword: randomBytes(12).toString('hex'),
  };
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
    return { ...state, kept: true };
  } catch {
    // A folder that is read only: the next run has another password.
    return { ...state, kept: false };
  }
}

function stateFolder(project: string): string {
  const packages = join(project, 'node_modules');
  if (existsSync(packages)) return join(packages, '.cache', 'kong-ts-pluginserver');
  const home = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  const name = createHash('sha256').update(project).digest('hex').slice(0, 16);
  return join(home, 'kong-ts-pluginserver', name);
}

function readState(file: string): ProjectState | undefined {
  try {
    const { databasePort, databasePassword } = JSON.parse(readFileSync(file, 'utf8')) as ProjectState;
    const usable =
      Number.isInteger(databasePort) && databasePort > 0 && /^[0-9a-f]{24}$/.test(databasePassword);
    return usable ? { databasePort, databasePassword } : undefined;
  } catch {
    // None yet, or not ours: a new one is made.
    return undefined;
  }
}
