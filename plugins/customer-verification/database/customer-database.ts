import type { Pool, PoolClient } from 'pg';
import { pg } from '../drivers.js';
import { type DatabaseTrouble, DatabaseUnavailableError, MalformedCustomerError } from '../errors.js';
import { type Customer, parseCustomer } from '../keys/customer.js';
import { databaseErrors, databaseSeconds, databaseUp } from '../metrics.js';
import { report } from '../report.js';
import { cancelQuery } from './cancel-query.js';
import { clientConfig, type DatabaseSettings, SLOW_CONNECTION_MS, TIMEOUT_MS } from './settings.js';

// After a failure the database is left alone for so long, and then tried by one query at a time.
const RETRY_AFTER_MS = 250;
// Lookups that may wait for a connection, per connection: at a millisecond each they are served well within a second.
const WAITING_PER_CONNECTION = 200;

/**
 * Finds customers in PostgreSQL through a pool of connections. While the database does not answer, lookups fail at
 * once instead of queueing up behind each other, and one of them at a time tries whether it is back.
 *
 * Lookups wait longer for a connection, up to {@link SLOW_CONNECTION_MS}, while the first one is being made and while
 * the database is known to answer: connecting is slow on a machine under load, and that is no reason to refuse.
 */
export class CustomerDatabase {
  readonly #settings: DatabaseSettings;
  readonly #mostWaiting: number;
  #pool: Pool;
  #starting = true;
  #closed = false;
  /** When the database last gave any answer, by a steady clock. */
  #answeredAt = -Infinity;
  #underway = 0;
  /** Why and when the last query failed; undefined while the database is well. */
  #trouble: { error: DatabaseUnavailableError; retryAt: number } | undefined;
  #probing = false;

  /** Makes the first connection in the background. Throws ConfigurationError as `clientConfig` does. */
  constructor(settings: DatabaseSettings) {
    this.#settings = settings;
    this.#mostWaiting = settings.poolSize * WAITING_PER_CONNECTION;
    this.#pool = createPool(settings);
    this.#connectFirst();
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
      this.answers();
      return customerOf(rows);
    } finally {
      this.#underway -= 1;
      if (probe) this.#probing = false;
      databaseSeconds.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** The database has answered, here or to somebody else. */
  answers(): void {
    this.#answeredAt = performance.now();
    databaseUp.set(1);
  }

  /** The same, after it did not: a failure is forgotten. */
  tryAgain(): void {
    this.answers();
    this.#trouble = undefined;
  }

  /**
   * Leaves the connections that there are to their queries and makes new ones: another connection went silent, so
   * these may be dead as well, which would take a timeout each to find out.
   */
  renewConnections(): void {
    if (this.#closed) return;
    closePool(this.#pool);
    this.#pool = createPool(this.#settings);
  }

  /** Announces on a channel, through a connection of the pool; rejects as the database does. */
  async notify(channel: string): Promise<void> {
    const client = await this.#connection();
    try {
      await client.query('select pg_notify($1, $2)', [channel, '']);
    } catch (error) {
      client.release(asError(error));
      throw error;
    }
    client.release();
  }

  /** Closes the connections once their queries are done. */
  close(): void {
    this.#closed = true;
    closePool(this.#pool);
  }

  #connectFirst(): void {
    this.#pool
      .connect()
      .then((client) => client.release())
      .catch((error: Error) => {
        if (!this.#closed)
          report.inBackground('warn', 'database_connection', `no database connection: ${describe(error)}`);
      })
      .finally(() => {
        this.#starting = false;
      });
  }

  /** A connection, within the time that the state of the database allows. */
  #connection(): Promise<PoolClient> {
    const connecting = this.#pool.connect();
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      let overdue = false;
      const timer = setInterval(() => {
        if (this.#mayBeSlow() && performance.now() - startedAt < SLOW_CONNECTION_MS) return;
        clearInterval(timer);
        overdue = true;
        reject(new Error('timeout: no connection to the database in time'));
      }, TIMEOUT_MS);
      connecting
        .finally(() => clearInterval(timer))
        // A connection that nobody waits for any more is still good for the next lookup.
        .then((client) => (overdue ? client.release() : resolve(client)), reject);
    });
  }

  #mayBeSlow(): boolean {
    return this.#starting || performance.now() - this.#answeredAt < TIMEOUT_MS;
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

  async #select(certificateId: string, again = false): Promise<unknown[][]> {
    const pool = this.#pool;
    try {
      const client = await this.#connection();
      let broken: Error | undefined;
      try {
        // Without a name: behind a pooler, a connection of this pool is not one connection of the database's.
        const { rows } = await client.query<unknown[]>({
          text: this.#settings.query,
          values: [certificateId],
          rowMode: 'array',
        });
        return rows;
      } catch (error) {
        // The client chose the id: one that the database cannot even read is unknown, and no trouble.
        if (isDataException(error)) return [];
        broken = asError(error);
        if (!(broken instanceof pg().DatabaseError))
          cancelQuery(client, this.#settings.host, this.#settings.port);
        throw broken;
      } finally {
        client.release(broken);
      }
    } catch (error) {
      // The connections were given up meanwhile: what one of them did not answer another may.
      if (pool !== this.#pool && !again) return this.#select(certificateId, true);
      throw this.#failed(asError(error));
    }
  }

  #failed(cause: Error): DatabaseUnavailableError {
    const kind = kindOf(cause);
    databaseErrors.inc({ kind });
    const error = new DatabaseUnavailableError(kind, `the customer query failed: ${describe(cause)}`, {
      cause,
    });
    databaseUp.set(0);
    this.#trouble = { error, retryAt: performance.now() + RETRY_AFTER_MS };
    return error;
  }
}

function createPool(settings: DatabaseSettings): Pool {
  const pool = new (pg().Pool)({
    ...clientConfig(settings, 'customer-verification'),
    max: settings.poolSize,
    allowExitOnIdle: true,
  });
  // Idle connections that break are the pool's business; without a listener they would end the process.
  pool.on('error', (error) => {
    report.inBackground('warn', 'database_connection', `lost a database connection: ${describe(error)}`);
  });
  // One that breaks under a query is told to the query, and once more to nobody in particular, which would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

function closePool(pool: Pool): void {
  pool.end().catch((error: Error) => {
    report.inBackground('warn', 'database_close', `closing the database connections: ${describe(error)}`);
  });
}

function customerOf(rows: unknown[][]): Customer | undefined {
  const [row] = rows;
  if (!row) return undefined;
  if (rows.length > 1) throw new MalformedCustomerError(`${rows.length} customers have this certificate`);
  return parseCustomer(row[0], row[1]);
}

// Class 22, "data exception": the statement is fine, the value is not.
function isDataException(error: unknown): boolean {
  return error instanceof pg().DatabaseError && error.code !== undefined && error.code.startsWith('22');
}

function kindOf(error: Error): DatabaseTrouble {
  if (error instanceof pg().DatabaseError) {
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
