// Lets requests with an API key through and tells the upstream whose key it is. Keys are kept in Postgres, as hashes.
//
//   npm start -- -d examples/plugins --config examples/plugins/api-key/kong.yml --seed examples/plugins/api-key/schema.sql
//   curl -i -H 'X-Api-Key: demo' http://127.0.0.1:8000/
import { createHash } from 'node:crypto';
import {
  type ConfigOf,
  type Kong,
  metrics,
  type PluginSchema,
  reports,
  SharedResources,
} from 'kong-ts-pluginserver';
import pg from 'pg';

export const Schema = [
  { header: { type: 'string', default: 'x-api-key' } },
  { remember_seconds: { type: 'number', between: [0, 3600], default: 10 } },
] as const satisfies PluginSchema;

export const version = '1.0.0';
export const priority = 1250;

/** Kong makes an instance for each configuration and worker; they share one pool. */
const pools = new SharedResources<pg.Pool>((pool) => void pool.end());
const lookups = metrics.counter('api_key_lookups_total', 'Keys looked up in the database, by result.', [
  'result',
]);
const report = reports('api-key');

/** Keys are kept for as long as `remember_seconds`; more than this many at once are somebody guessing. */
const MAX_REMEMBERED = 10_000;

export class Plugin {
  readonly #config: ConfigOf<typeof Schema>;
  readonly #pool = pools.acquire('SERVER_DB', createPool);
  readonly #remembered = new Map<string, { owner: string | undefined; until: number }>();

  constructor(config: ConfigOf<typeof Schema>) {
    this.#config = config;
  }

  async access(kong: Kong): Promise<void> {
    const key = await kong.request.getHeader(this.#config.header);
    if (key === undefined) return kong.response.exit(401, { message: 'No API key' });
    let owner: string | undefined;
    try {
      owner = await this.#ownerOf(key);
    } catch (error) {
      // At most one such line in ten seconds, however many requests come.
      await report.inEvent(kong, 'err', 'database', `the keys cannot be read: ${(error as Error).message}`);
      return kong.response.exit(503, { message: 'Try again later' });
    }
    if (owner === undefined) return kong.response.exit(403, { message: 'Unknown API key' });
    kong.service.request.clearHeader(this.#config.header);
    kong.service.request.setHeader('X-Key-Owner', owner);
  }

  /** Called when Kong closes the instance: the last one to give its share back ends the pool. */
  close(): void {
    this.#pool.release();
  }

  async #ownerOf(key: string): Promise<string | undefined> {
    const hash = createHash('sha256').update(key).digest('hex');
    const known = this.#remembered.get(hash);
    if (known !== undefined && known.until > Date.now()) return known.owner;
    const { rows } = await this.#pool.value.query<{ owner: string }>(
      'select owner from api_key where hash = $1',
      [hash],
    );
    const owner = rows[0]?.owner;
    lookups.inc({ result: owner === undefined ? 'unknown' : 'found' });
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(hash, { owner, until: Date.now() + this.#config.remember_seconds * 1000 });
    return owner;
  }
}

/** Made for the first instance: the environment is the plugin server's. */
function createPool(): pg.Pool {
  const { SERVER_DB_HOST, SERVER_DB_PORT, SERVER_DB_USER, SERVER_DB_PASSWORD, SERVER_DB_DATABASE } =
    process.env;
  const pool = new pg.Pool({
    host: SERVER_DB_HOST,
    port: Number(SERVER_DB_PORT ?? 5432),
    user: SERVER_DB_USER,
    password: SERVER_DB_PASSWORD,
    database: SERVER_DB_DATABASE,
    max: 4,
    connectionTimeoutMillis: 2000,
    // An event has 10 s; a query that hangs must not use them up.
    query_timeout: 2000,
  });
  // Without a listener, a connection that breaks while nobody uses it would end the process.
  pool.on('error', (error) => report.inBackground('warn', 'database', error.message));
  return pool;
}
