import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Postgres } from '../../src/dev/postgres.js';
import { childrenOf, signalProcess } from '../../src/dev/processes.js';

const SCHEMA = join(import.meta.dirname, '../../db/schema.sql');

/**
 * A real PostgreSQL with db/schema.sql in it, on a free port of 127.0.0.1. Takes about two seconds: start one per
 * test file and `dispose()` of it in `after`.
 *
 * `stop()`/`start()` take it down and bring it back on the same port; `pause()`/`resume()` freeze it, so that
 * connections stay open and answer nothing. `url` and `env` (the SERVER_DB_* variables) say how to reach it.
 */
export function startPostgres(): Promise<Postgres> {
  return Postgres.create({ sqlFiles: [SCHEMA] });
}

/** Kills it and every process of its own at once, as a crash of the machine would; `start()` brings it back. */
export async function killPostgres(postgres: Postgres): Promise<void> {
  const pid = Number.parseInt(readFileSync(join(postgres.dataFolder, 'postmaster.pid'), 'utf8'), 10);
  for (const victim of [pid, ...childrenOf(pid)]) signalProcess(victim, 'SIGKILL');
  while (postgres.running) await new Promise((resolve) => setTimeout(resolve, 5));
}
