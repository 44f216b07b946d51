import { connect } from 'node:net';
import type { PoolClient } from 'pg';

// The code of a CancelRequest in PostgreSQL's protocol (version 1234, 5678).
const CANCEL_REQUEST = 80_877_102;
const TIMEOUT_MS = 1000;

/** What PostgreSQL told the client at its start; node-postgres keeps it, but its types do not say so. */
interface BackendKey {
  readonly processID?: number | null;
  readonly secretKey?: number | null;
}

/**
 * Asks the database to stop what this connection is still doing. A statement that nobody waits for any more would
 * otherwise hold a backend until a lock is released, and every later attempt one more. Nothing comes back, and a
 * request that does not arrive is no loss beyond that; it travels without TLS, as libpq's does.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html (Canceling Requests in Progress)
 */
export function cancelQuery(client: PoolClient, host: string, port: number): void {
  const { processID, secretKey } = client as PoolClient & BackendKey;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const message = Buffer.alloc(16);
  for (const [index, value] of [16, CANCEL_REQUEST, processID, secretKey].entries())
    message.writeInt32BE(value, index * 4);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.unref();
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  // The database that does not take it is reported by the lookups themselves.
  socket.on('error', () => socket.destroy());
  socket.end(message);
}
