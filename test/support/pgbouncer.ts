import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Postgres } from '../../src/dev/postgres.js';
import { unprivilegedUser } from '../../src/dev/unprivileged.js';

/** Why tests with a real PgBouncer are left out; false when there is one. */
export const pgbouncerLeftOut =
  spawnSync('pgbouncer', ['--version']).error === undefined ? false : 'left out: pgbouncer is not installed';

/** A real PgBouncer in front of a PostgreSQL, as Debian packages it and with no setting that makes it kinder. */
export interface Pgbouncer {
  /** SERVER_DB_* variables. */
  readonly env: Record<string, string>;
  readonly process: ChildProcess;
  /** What it has logged. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

export async function startPgbouncer(
  postgres: Postgres,
  poolMode: 'session' | 'transaction',
  poolSize: number,
): Promise<Pgbouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  // It does not run as root, and has to read its file as somebody else.
  await chmod(folder, 0o755);
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  const { host, database, user, password } = postgres;
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
customers = host=${host} port=${postgres.port} dbname=${database} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
default_pool_size = ${poolSize}
`,
  );
  const child = spawn('pgbouncer', [file], { stdio: ['ignore', 'ignore', 'pipe'], ...unprivilegedUser() });
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line);
      if (line.includes('process up')) resolve();
    });
    child.once('exit', () => reject(new Error(`PgBouncer did not start:\n${lines.join('\n')}`)));
  });
  return {
    env: {
      SERVER_DB_HOST: '127.0.0.1',
      SERVER_DB_PORT: String(port),
      SERVER_DB_DATABASE: 'customers',
      SERVER_DB_USER: user,
      SERVER_DB_PASSWORD: 'x',
    },
    process: child,
    lines,
    close: async () => {
      child.kill('SIGCONT');
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
