import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { PluginServerError } from '../errors.js';
import type { GuardedFolder } from './guarded-folder.js';
import { Postgres } from './postgres.js';
import { projectState } from './project-state.js';

/** The database that plugins find in `SERVER_DB_…`. */
export interface DevDatabase {
  readonly url: string;
  readonly env: Record<string, string>;
  /** The one that `dev` has started itself. */
  readonly embedded: Postgres | undefined;
  close(): Promise<void>;
}

/**
 * A PostgreSQL of `dev`'s own, on the port and with the password that this project has always had.
 *
 * @param sqlFiles run in order, once it is up
 * @throws PluginServerError as `Postgres.create`
 */
export async function startEmbedded(
  folder: GuardedFolder,
  sqlFiles: readonly string[],
  onUnexpectedExit: (reason: string) => void,
): Promise<DevDatabase> {
  const { databasePort, databasePassword } = projectState(process.cwd());
  const postgres = await Postgres.create({
    folder,
    sqlFiles,
    onUnexpectedExit,
    port: databasePort,
    password: databasePassword,
  });
  return {
    url: postgres.url,
    env: postgres.env,
    embedded: postgres,
    close: () => postgres.dispose(),
  };
}

/**
 * A database that is there already.
 *
 * @throws PluginServerError `DATABASE_FAILED` where it does not answer or an SQL file does not run
 */
export async function useDatabase(url: string, sqlFiles: readonly string[]): Promise<DevDatabase> {
  const env = databaseEnv(url);
  if (sqlFiles.length > 0) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (const file of sqlFiles) await runFile(client, file);
    } catch (cause) {
      if (cause instanceof PluginServerError) throw cause;
      throw new PluginServerError('DATABASE_FAILED', `the database: ${(cause as Error).message}`, { cause });
    } finally {
      await client.end();
    }
  }
  return { url, env, embedded: undefined, close: async () => undefined };
}

async function runFile(client: pg.Client, file: string): Promise<void> {
  try {
    await client.query(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new PluginServerError('DATABASE_FAILED', `${file} does not run: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** `SERVER_DB_…` of a URL like `postgres://user:password@host:5432/database`. @throws PluginServerError `USAGE` */
export function databaseEnv(url: string): Record<string, string> {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw badUrl(cause);
  }
  if (!/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === '') throw badUrl(undefined);
  const part = (text: string) => decodeURIComponent(text);
  return {
    SERVER_DB_HOST: parsed.hostname.replace(/^\[|\]$/g, ''),
    SERVER_DB_PORT: parsed.port || '5432',
    SERVER_DB_USER: part(parsed.username),
    SERVER_DB_PASSWORD: part(parsed.password),
    SERVER_DB_DATABASE: part(parsed.pathname.slice(1)) || part(parsed.username),
  };
}

/** What is wrong with it may be the password, which is not repeated. */
function badUrl(cause: unknown): PluginServerError {
  return new PluginServerError(
    'USAGE',
    '--database must be a URL like postgres://user:password@host:5432/database',
    { cause },
  );
}
