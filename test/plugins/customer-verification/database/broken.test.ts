import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import pg from 'pg';
import { CustomerDatabase } from '../../../../plugins/customer-verification/database/customer-database.js';
import { databaseSettings } from '../../../../plugins/customer-verification/database/settings.js';
import { startPostgres } from '../../../support/postgres.js';
import { eventually } from '../rig.js';

test('a connection that breaks under a query is the query’s error, and no uncaught one', async (t) => {
  const postgres = await startPostgres();
  const sockets = new Set<Socket>();
  const front = createServer((socket) => {
    const inner = connect(Number(postgres.env.SERVER_DB_PORT), '127.0.0.1');
    for (const end of [socket, inner]) end.on('error', () => socket.destroy());
    socket.on('close', () => inner.destroy());
    sockets.add(socket);
    socket.pipe(inner).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const { port } = front.address() as { port: number };
  const query =
    'select uuid, authentication from (select pg_sleep(0.8)) slow left join customer on certificate = $1';
  const settings = databaseSettings({
    ...postgres.env,
    SERVER_DB_PORT: String(port),
    SERVER_DB_QUERY: query,
  });
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  process.on('uncaughtException', note);
  const database = new CustomerDatabase(settings);
  const looker = new pg.Client({ connectionString: postgres.url });
  await looker.connect();
  t.after(async () => {
    database.close();
    await looker.end();
    front.close();
    await postgres.dispose();
    process.off('uncaughtException', note);
  });
  const found = database.find('anybody').then(
    () => 'found',
    (error: Error) => error.message,
  );
  await eventually('the query runs', 20_000, async () => {
    const { rows } = await looker.query(
      `select 1 from pg_stat_activity where state = 'active' and query like '%slow left join%' and pid <> pg_backend_pid()`,
    );
    return rows.length > 0;
  });
  for (const socket of sockets) socket.destroy();
  assert.match(await found, /the customer query failed: .*terminated/);
  // Whatever the connection still had to say has been said after one more turn.
  await new Promise(setImmediate);
  assert.deepEqual(uncaught, []);
});
