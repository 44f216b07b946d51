import { randomBytes } from 'node:crypto';
import type { Client, DatabaseError } from 'pg';
import { pg } from '../drivers.js';
import { databaseErrors } from '../metrics.js';
import { report } from '../report.js';
import { describe } from './customer-database.js';
import { clientConfig, type DatabaseSettings, TIMEOUT_MS } from './settings.js';

/** The channel on which db/schema.sql announces changed customers. */
export const CHANNEL = 'customer_changed';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
// A connection can die without either end being told. The three together stay below the second within which a revoked
// customer is to be refused.
const HEARTBEAT_MS = 200;
const DOUBT_AFTER_MS = 300;
const LOST_AFTER_MS = 700;
/** How long a notification of our own may be on its way before listening counts as impossible. */
const ECHO_WITHIN_MS = 5000;

/** What a {@link ChangeListener} tells, and what it asks for. */
export interface ChangeHandlers {
  /** A customer was inserted, changed or deleted; without an id: any number of them. */
  changed(certificateId?: string): void;
  /** The database answers, after it did not or for the first time; `changed()` follows. */
  reached(): void;
  /** The database gave a sign of life. */
  alive(): void;
  /** From now on a change may go unnoticed. */
  doubtful(): void;
  /** Nothing has gone unnoticed, or `changed()` was called since. */
  certain(): void;
  /** The connection went silent and was given up. */
  silent(): void;
  /** Sends a notification to the channel over another connection. */
  notify(channel: string): Promise<void>;
}

/**
 * Listens on a connection of its own for changes of the customer table, and reconnects for as long as it is open.
 * Every time it (re)connects it reports that anything may have changed: nothing is heard in a gap. A notification to
 * itself shows whether listening works at all: behind a pooler in transaction mode it has no effect.
 */
export class ChangeListener {
  readonly #settings: DatabaseSettings;
  readonly #handlers: ChangeHandlers;
  readonly #echoChannel = `customer_verification_${randomBytes(8).toString('hex')}`;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #echoTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** The notification to itself came back on this connection. */
  #echoed = false;
  /** Listening was found to have no effect. */
  #deaf = false;
  #closed = false;

  /** Connects in the background; never throws for a database that is away. */
  constructor(settings: DatabaseSettings, handlers: ChangeHandlers) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#connect();
  }

  /** Stops listening. */
  close(): void {
    this.#closed = true;
    this.#discard();
  }

  #connect(): void {
    const client = new (pg().Client)({
      ...clientConfig(this.#settings, 'customer-verification listener'),
      // The first attempt, and some of the later ones, are given the time that a busy machine takes.
      ...(this.#failures % 4 !== 0 && { connectionTimeoutMillis: TIMEOUT_MS }),
    });
    this.#client = client;
    this.#echoed = false;
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('the connection was closed')));
    client.on('notification', ({ channel, payload }) => {
      if (channel === CHANNEL) this.#handlers.changed(payload || undefined);
      else this.#heard();
    });
    this.#listen(client).catch((error: Error) => this.#lost(client, error));
  }

  async #listen(client: Client): Promise<void> {
    await client.connect();
    const refused = await subscribe(client, [CHANNEL, this.#echoChannel]);
    if (this.#client !== client) return;
    // Listening is no reason for a process to stay alive.
    (client as Client & { unref(): void }).unref();
    if (this.#failures > 0)
      report.inBackground('warn', 'listen_back', 'listening for changed customers again');
    this.#failures = 0;
    this.#handlers.reached();
    this.#handlers.changed();
    this.#handlers.certain();
    this.#heartbeat(client);
    if (refused) this.#isDeaf(describe(refused));
    else void this.#awaitEcho(client);
  }

  /** Sends a notification to this listener and gives it {@link ECHO_WITHIN_MS} to come back. */
  async #awaitEcho(client: Client): Promise<void> {
    try {
      await this.#handlers.notify(this.#echoChannel);
    } catch (error) {
      if (this.#client !== client) return;
      if (error instanceof pg().DatabaseError) this.#isDeaf(describe(error));
      else this.#echoTimer = setTimeout(() => void this.#awaitEcho(client), TIMEOUT_MS).unref();
      return;
    }
    if (this.#client !== client || this.#echoed) return;
    this.#echoTimer = setTimeout(
      () => this.#isDeaf('a notification to itself did not come back'),
      ECHO_WITHIN_MS,
    ).unref();
  }

  #heard(): void {
    this.#echoed = true;
    clearTimeout(this.#echoTimer);
    if (!this.#deaf) return;
    this.#deaf = false;
    this.#handlers.changed();
    report.inBackground('warn', 'listen_heard', 'changes of customers are announced to this server again');
  }

  #isDeaf(why: string): void {
    clearTimeout(this.#echoTimer);
    if (this.#deaf) return;
    this.#deaf = true;
    report.inBackground(
      'warn',
      'listen_deaf',
      `changes of customers are not announced to this server (${why}), as behind a pooler in transaction mode: ` +
        'a revoked customer is refused after cache_ttl',
    );
  }

  /**
   * Asks for a sign of life. While it is overdue every change may have been missed; long overdue, the connection is
   * given up. What is there to be read is read first: a process that stood still must not blame the database.
   */
  #heartbeat(client: Client): void {
    this.#timer = setTimeout(() => {
      let answered = false;
      const overdue = (then: () => void) => () =>
        setImmediate(() => {
          if (!answered && this.#client === client) then();
        });
      const give = () => {
        this.#handlers.silent();
        this.#lost(client, new Error(`no sign of life for ${LOST_AFTER_MS} ms`));
      };
      this.#timer = setTimeout(
        overdue(() => {
          this.#handlers.doubtful();
          this.#timer = setTimeout(overdue(give), LOST_AFTER_MS - DOUBT_AFTER_MS).unref();
        }),
        DOUBT_AFTER_MS,
      ).unref();
      client.query('select 1').then(
        () => {
          answered = true;
          if (this.#client !== client) return;
          clearTimeout(this.#timer);
          this.#handlers.alive();
          this.#handlers.certain();
          this.#heartbeat(client);
        },
        (error: Error) => {
          answered = true;
          this.#lost(client, error);
        },
      );
    }, HEARTBEAT_MS).unref();
  }

  #lost(client: Client, error: Error): void {
    if (this.#closed || this.#client !== client) return;
    this.#discard();
    this.#handlers.doubtful();
    databaseErrors.inc({ kind: 'listen' });
    report.inBackground('warn', 'listen', `not listening for changed customers: ${describe(error)}`);
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Servers that lost the database together should not come back together.
    this.#timer = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2)).unref();
  }

  #discard(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#echoTimer);
    const client = this.#client;
    this.#client = undefined;
    // What a connection that is being thrown away still has to say is of no interest.
    client?.end().catch(() => undefined);
  }
}

/** Undefined, or why the database takes no LISTEN, as a standby or another database than PostgreSQL does not. */
async function subscribe(client: Client, channels: readonly string[]): Promise<DatabaseError | undefined> {
  try {
    for (const channel of channels) await client.query(`listen ${channel}`);
    return undefined;
  } catch (error) {
    // Classes 08 and 57: the connection is no good, which another one may be.
    if (error instanceof pg().DatabaseError && !/^(08|57)/.test(error.code ?? '')) return error;
    throw error;
  }
}
