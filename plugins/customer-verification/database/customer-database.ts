import { DatabaseError, Pool } from 'pg';
import { type DatabaseTrouble, DatabaseUnavailableError, MalformedCustomerError } from '../errors.js';
import { type Customer, parseCustomer } from '../keys/customer.js';
import { databaseErrors, databaseSeconds } from '../metrics.js';
import { report } from '../report.js';
import { clientConfig, type DatabaseSettings } from './settings.js';

// After a failure the database is left alone for so long, and then tried by one query at a time.
const RETRY_AFTER_MS = 250;
// Lookups that may wait for a connection, per connection: at a millisecond each they are served well within a second.
const WAITING_PER_CONNECTION = 200;

/**
 * Finds customers in PostgreSQL through a pool of connections. While the database does not answer, lookups fail at
 * once instead of queueing up behind each other, and one of them at a time tries whether it is back.
 */
export class CustomerDatabase {
  readonly #pool: Pool;
  readonly #query: string;
  readonly #mostWaiting: number;
  #underway = 0;
  /** Why and when the last query failed; undefined while the database is well. */
  #trouble: { error: DatabaseUnavailableError; retryAt: number } | undefined;
  #probing = false;

  /** Does not connect yet. Throws ConfigurationError as `clientConfig` does. */
  constructor(settings: DatabaseSettings) {
    this.#pool = new Pool({
      ...clientConfig(settings, 'customer-verification'),
      max: settings.poolSize,
      allowExitOnIdle: true,
    });
    // Idle connections that break are the pool's business; without a listener they would end the process.
    this.#pool.on('error', (error) => {
      report.inBackground('warn', 'database_connection', `lost a database connection: ${describe(error)}`);
    });
    this.#query = settings.query;
    this.#mostWaiting = settings.poolSize * WAITING_PER_CONNECTION;
  }

  /**
   * The customer with this certificate id; undefined when there is none.
   *
   * @throws {DatabaseUnavailableError} when the database cannot say.
   * @throws {MalformedCustomerError} when it says something that cannot be used.
   */
  async find(certificateId: string): Promise<Customer | undefined> {
    // PostgreSQL's text has no NUL, so no customer has one either.
    if (certificateId.includes('\0')) return undefined;
    const probe = this.#admit();
    const startedAt = performance.now();
    this.#underway += 1;
    if (probe) this.#probing = true;
    try {
      const rows = await this.#select(certificateId);
      this.#trouble = undefined;
      return customerOf(rows);
    } finally {
      this.#underway -= 1;
      if (probe) this.#probing = false;
      databaseSeconds.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** Forgets a failure: somebody else has seen the database answer. */
  tryAgain(): void {
    this.#trouble = undefined;
  }

  /** Closes the connections once their queries are done. */
  close(): void {
    this.#pool.end().catch((error: Error) => {
      report.inBackground('warn', 'database_close', `closing the database connections: ${describe(error)}`);
    });
  }

  /** Lets a lookup through or throws; true: it is the one that tries whether the database is back. */
  #admit(): boolean {
    if (this.#trouble) {
      if (this.#probing || performance.now() < this.#trouble.retryAt) throw this.#trouble.error;
      return true;
    }
    if (this.#underway >= this.#mostWaiting) {
      databaseErrors.inc({ kind: 'overload' });
      throw new DatabaseUnavailableError(
        'overload',
        `${this.#underway} lookups are waiting for the database already`,
      );
    }
    return false;
  }

  async #select(certificateId: string): Promise<unknown[][]> {
    try {
      const client = await this.#pool.connect();
      let broken: Error | undefined;
      try {
        const result = await client.query<unknown[]>({
          name: 'customer',
          text: this.#query,
          values: [certificateId],
          rowMode: 'array',
        });
        return result.rows;
      } catch (error) {
        // The client chose the id: one that the database cannot even read is unknown, and no trouble.
        if (isDataException(error)) return [];
        broken = asError(error);
        throw broken;
      } finally {
        client.release(broken);
      }
    } catch (error) {
      throw this.#failed(asError(error));
    }
  }

  #failed(cause: Error): DatabaseUnavailableError {
    const kind = kindOf(cause);
    databaseErrors.inc({ kind });
    const error = new DatabaseUnavailableError(kind, `the customer query failed: ${describe(cause)}`, {
      cause,
    });
    this.#trouble = { error, retryAt: performance.now() + RETRY_AFTER_MS };
    return error;
  }
}

function customerOf(rows: unknown[][]): Customer | undefined {
  const [row] = rows;
  if (!row) return undefined;
  if (rows.length > 1) throw new MalformedCustomerError(`${rows.length} customers have this certificate`);
  return parseCustomer(row[0], row[1]);
}

// Class 22, "data exception": the statement is fine, the value is not.
function isDataException(error: unknown): boolean {
  return error instanceof DatabaseError && error.code !== undefined && error.code.startsWith('22');
}

function kindOf(error: Error): DatabaseTrouble {
  if (error instanceof DatabaseError) {
    if (error.code === '57014') return 'timeout';
    return /^(08|53|57|58|XX)/.test(error.code ?? '') ? 'connection' : 'query';
  }
  return /timeout/i.test(error.message) ? 'timeout' : 'connection';
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What went wrong, for a log line. PostgreSQL's `detail` is left out: it may quote a row. */
export function describe(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  // Several addresses were tried: the message is empty, the reasons are inside.
  const inner =
    error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join('; ') : '';
  return `${error.message || inner || error.name}${code}`;
}
