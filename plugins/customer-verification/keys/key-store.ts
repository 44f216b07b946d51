import { type Share, SharedResources } from 'kong-ts-pluginserver';
import type { CacheConfig } from '../config.js';
import { ChangeListener } from '../database/change-listener.js';
import { CustomerDatabase } from '../database/customer-database.js';
import { type DatabaseSettings, DEFAULT_QUERY, databaseSettings } from '../database/settings.js';
import type { Environment } from '../environment.js';
import { ConfigurationError, DatabaseUnavailableError } from '../errors.js';
import { databaseErrors } from '../metrics.js';
import { CustomerCache, type FindCustomer } from './customer-cache.js';

/** Where an instance finds customers: a share in a cache, and through it in a database and its listener. */
export interface KeyStore {
  readonly customers: CustomerCache;
  /** Gives the share back; the last one closes the connections. */
  close(): void;
}

/** A database with everything in this process that remembers what it said. */
interface Source {
  readonly database: CustomerDatabase;
  readonly listener: ChangeListener;
  readonly caches: SharedResources<CustomerCache>;
  readonly open: Set<CustomerCache>;
  /** Whether every change is being heard of, for caches that are opened meanwhile. */
  readonly certain: () => boolean;
}

const sources = new SharedResources<Source>(({ database, listener }) => {
  listener.close();
  database.close();
});

/**
 * Opens the key store for these settings. Instances with equal settings share connections, and with equal cache
 * settings the cache. Neither a database that is away nor settings that are missing fail here: lookups then reject
 * with DatabaseUnavailableError, and with the reason.
 */
export function openKeyStore(environment: Environment, cache: CacheConfig): KeyStore {
  try {
    return openWith(databaseSettings(environment), cache);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const failing = unavailable(error);
    return { customers: new CustomerCache(failing, cache), close: () => undefined };
  }
}

function openWith(settings: DatabaseSettings, config: CacheConfig): KeyStore {
  const source = sources.acquire(JSON.stringify(settings), () => createSource(settings));
  const cache = openCache(source.value, config);
  return {
    customers: cache.value,
    close: () => {
      cache.release();
      source.release();
    },
  };
}

function createSource(settings: DatabaseSettings): Source {
  const open = new Set<CustomerCache>();
  const database = new CustomerDatabase(settings);
  // A query of the operator's own may find one customer under several ids: which ones nobody can tell from the id that
  // is announced.
  const idsAreExact = settings.query === DEFAULT_QUERY;
  let certain = true;
  const trust = (now: boolean) => {
    if (certain === now) return;
    certain = now;
    for (const cache of open) cache.trust(now);
  };
  const listener = new ChangeListener(settings, {
    reached: () => database.tryAgain(),
    alive: () => database.answers(),
    doubtful: () => trust(false),
    certain: () => trust(true),
    silent: () => database.renewConnections(),
    notify: (channel) => database.notify(channel),
    changed: (certificateId) => {
      for (const cache of open) cache.forget(idsAreExact ? certificateId : undefined);
    },
  });
  return {
    database,
    listener,
    open,
    certain: () => certain,
    caches: new SharedResources((cache) => open.delete(cache)),
  };
}

function openCache({ database, caches, open, certain }: Source, config: CacheConfig): Share<CustomerCache> {
  return caches.acquire(JSON.stringify(config), () => {
    const cache = new CustomerCache((certificateId) => database.find(certificateId), config);
    cache.trust(certain());
    open.add(cache);
    return cache;
  });
}

function unavailable(reason: ConfigurationError): FindCustomer {
  return async () => {
    databaseErrors.inc({ kind: 'settings' });
    throw new DatabaseUnavailableError('settings', `the database settings cannot work: ${reason.message}`);
  };
}

/** How many databases this process is connected to. */
export function openSources(): number {
  return sources.size;
}
