import { Client } from 'pg';
import { databaseErrors } from '../metrics.js';
import { report } from '../report.js';
import { describe } from './customer-database.js';
import { clientConfig, type DatabaseSettings } from './settings.js';

/** The channel on which db/schema.sql announces changed customers. */
export const CHANNEL = 'customer_changed';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
// A connection can be dead without either end being told: asking now and then bounds how long that goes unnoticed.
const HEARTBEAT_MS = 5000;

/** What a {@link ChangeListener} tells. */
export interface ChangeHandlers {
  /** A customer was inserted, changed or deleted; without an id: any number of them. */
  changed(certificateId?: string): void;
  /** The database answers, after it did not or for the first time; `changed()` follows. */
  reached(): void;
}

/**
 * Listens on a connection of its own for changes of the customer table, and reconnects for as long as it is open.
 * Every time it (re)connects it reports that anything may have changed: nothing is heard in a gap.
 */
export class ChangeListener {
  readonly #settings: DatabaseSettings;
  readonly #handlers: ChangeHandlers;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
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
    clearTimeout(this.#timer);
    this.#discard();
  }

  #connect(): void {
    const client = new Client(clientConfig(this.#settings, 'customer-verification listener'));
    this.#client = client;
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('the connection was closed')));
    client.on('notification', (message) => this.#handlers.changed(message.payload || undefined));
    this.#listen(client).catch((error: Error) => this.#lost(client, error));
  }

  async #listen(client: Client): Promise<void> {
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    if (this.#client !== client) return;
    // Listening is no reason for a process to stay alive.
    (client as Client & { unref(): void }).unref();
    if (this.#failures > 0)
      report.inBackground('warn', 'listen_back', 'listening for changed customers again');
    this.#failures = 0;
    this.#handlers.reached();
    this.#handlers.changed();
    this.#heartbeat(client);
  }

  #heartbeat(client: Client): void {
    this.#timer = setTimeout(() => {
      client.query('select 1').then(
        () => {
          if (this.#client === client) this.#heartbeat(client);
        },
        (error: Error) => this.#lost(client, error),
      );
    }, HEARTBEAT_MS).unref();
  }

  #lost(client: Client, error: Error): void {
    if (this.#closed || this.#client !== client) return;
    this.#discard();
    databaseErrors.inc({ kind: 'listen' });
    report.inBackground('warn', 'listen', `not listening for changed customers: ${describe(error)}`);
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Servers that lost the database together should not come back together.
    this.#timer = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2)).unref();
  }

  #discard(): void {
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    // What a connection that is being thrown away still has to say is of no interest.
    client?.end().catch(() => undefined);
  }
}
