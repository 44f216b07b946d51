import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { startTestGateway } from 'kong-ts-pluginserver/testing';
import pg from 'pg';
import * as apiKey from './index.js';

const { SERVER_DB_HOST, SERVER_DB_PORT, SERVER_DB_USER, SERVER_DB_PASSWORD, SERVER_DB_DATABASE } =
  process.env;

describe('api-key', { skip: SERVER_DB_HOST === undefined && 'it needs a database: set SERVER_DB_…' }, () => {
  before(async () => {
    const client = new pg.Client({
      host: SERVER_DB_HOST,
      port: Number(SERVER_DB_PORT),
      user: SERVER_DB_USER,
      password: SERVER_DB_PASSWORD,
      database: SERVER_DB_DATABASE,
    });
    await client.connect();
    await client.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
    await client.end();
  });

  it('tells the upstream whose key it is, and not the key', async () => {
    await using gateway = await startTestGateway({ plugins: { 'api-key': apiKey } });
    const { status, upstream } = await gateway.request('/', {
      headers: { 'x-api-key': 'demo', 'x-key-owner': 'somebody else' },
    });
    assert.equal(status, 200);
    assert.equal(upstream?.headers['x-key-owner'], 'jo');
    assert.equal(upstream?.headers['x-api-key'], undefined);
  });

  it('refuses requests without a key or with an unknown one', async () => {
    await using gateway = await startTestGateway({ plugins: { 'api-key': apiKey } });
    assert.equal((await gateway.request('/')).status, 401);
    const { status, upstream } = await gateway.request('/', { headers: { 'x-api-key': 'guessed' } });
    assert.equal(status, 403);
    assert.equal(upstream, undefined);
  });

  it('answers 503 while the database is away, and says so once', async () => {
    await using gateway = await startTestGateway({
      plugins: { 'api-key': apiKey },
      env: { SERVER_DB_PORT: '1' },
    });
    const statuses = [];
    for (const key of ['a', 'b', 'c']) {
      statuses.push((await gateway.request('/', { headers: { 'x-api-key': key } })).status);
    }
    assert.deepEqual(statuses, [503, 503, 503]);
    assert.equal(gateway.log.filter(({ text }) => text.includes('the keys cannot be read')).length, 1);
  });
});
