import { readFileSync } from 'node:fs';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { ClientConfig } from 'pg';
import type { Environment } from '../environment.js';
import { ConfigurationError } from '../errors.js';

/** A query for one customer: `$1` is the certificate id, the first two columns are uuid and authentication. */
export const DEFAULT_QUERY = 'select uuid, authentication from customer where certificate = $1';

export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** How to reach the database, from the `SERVER_DB_…` variables. Plain data: equal settings serialise alike. */
export interface DatabaseSettings {
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly sslMode: SslMode;
  /** Path of a PEM file with the certificate authorities to trust. */
  readonly sslRootCert: string | undefined;
  readonly poolSize: number;
  readonly query: string;
}

/** How long to wait for the answer to a statement, and for a connection to a database that may be away. */
export const TIMEOUT_MS = 1000;

/** How long a connection may take while nothing says that the database is away: on a busy machine it is slow, too. */
export const SLOW_CONNECTION_MS = 5000;

/**
 * Reads the settings.
 *
 * @throws {ConfigurationError} naming the variable that is missing or wrong; never its value if it is a secret.
 */
export function databaseSettings(environment: Environment): DatabaseSettings {
  const sslMode = SSL_MODES.find((mode) => mode === (environment.SERVER_DB_SSLMODE || 'disable'));
  if (!sslMode) throw new ConfigurationError(`SERVER_DB_SSLMODE must be one of ${SSL_MODES.join(', ')}`);
  const query = environment.SERVER_DB_QUERY || DEFAULT_QUERY;
  if (!query.includes('$1')) throw new ConfigurationError('SERVER_DB_QUERY must hold $1, the certificate id');
  return {
    database: required(environment, 'SERVER_DB_DATABASE'),
    user: required(environment, 'SERVER_DB_USER'),
    password: environment.SERVER_DB_PASSWORD || undefined,
    host: required(environment, 'SERVER_DB_HOST'),
    port: wholeNumber(environment, 'SERVER_DB_PORT', 5432, 65_535),
    sslMode,
    sslRootCert: environment.SERVER_DB_SSLROOTCERT || undefined,
    poolSize: wholeNumber(environment, 'SERVER_DB_POOL_SIZE', 10, 1000),
    query,
  };
}

/**
 * The same as node-postgres wants it, with {@link TIMEOUT_MS} for each statement. Statements are timed on this side
 * alone: poolers such as PgBouncer refuse a connection that begins with a `statement_timeout`, and one that is set
 * later stays on a connection that others get next.
 *
 * @throws {ConfigurationError} when the file of certificate authorities cannot be read.
 */
export function clientConfig(settings: DatabaseSettings, applicationName: string): ClientConfig {
  return {
    database: settings.database,
    user: settings.user,
    // Never undefined: node-postgres would fall back to PGPASSWORD or a .pgpass of whoever runs the server.
    password: settings.password ?? '',
    host: settings.host,
    port: settings.port,
    ssl: tlsOptions(settings),
    application_name: applicationName,
    connectionTimeoutMillis: SLOW_CONNECTION_MS,
    query_timeout: TIMEOUT_MS,
    keepAlive: true,
  };
}

// As libpq defines the modes: "require" encrypts and trusts anybody, "verify-ca" checks the chain alone.
function tlsOptions({ sslMode, sslRootCert, host }: DatabaseSettings): ConnectionOptions | false {
  if (sslMode === 'disable') return false;
  const ca = sslRootCert === undefined ? {} : { ca: readCertificates(sslRootCert) };
  if (sslMode === 'require') return { ...ca, rejectUnauthorized: false };
  return {
    ...ca,
    rejectUnauthorized: true,
    checkServerIdentity: (_name, certificate) =>
      sslMode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
  };
}

function readCertificates(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigurationError(`cannot read SERVER_DB_SSLROOTCERT ${file}: ${code}`);
  }
}

function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new ConfigurationError(`${name} is not set`);
  return value;
}

function wholeNumber(environment: Environment, name: string, byDefault: number, high: number): number {
  const text = environment[name] || String(byDefault);
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > high)
    throw new ConfigurationError(`${name} must be a whole number from 1 to ${high}`);
  return value;
}
