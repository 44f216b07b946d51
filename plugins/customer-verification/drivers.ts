import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The database's client, loaded when it is first used: Kong waits for a dump and for the start, which need neither. */
export function pg(): typeof import('pg') {
  return require('pg');
}

/** The client of Redis, likewise. */
export function ioredis(): typeof import('ioredis') {
  return require('ioredis');
}
