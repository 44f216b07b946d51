import { Connection, type MakeReader } from './connection.js';

/**
 * Idle connections to one plugin server, most recently used first, as nginx keeps them.
 *
 * A connection on which something arrives while it is idle, or that the server ends, leaves the pool.
 */
export class ConnectionPool<Item> {
  private readonly idle: { connection: Connection<Item>; timer: NodeJS.Timeout }[] = [];
  private readonly busy = new Set<Connection<Item>>();
  private closed = false;

  constructor(
    private readonly path: string,
    private readonly idleTimeoutMs: number,
    private readonly makeReader: MakeReader<Item>,
  ) {}

  /** @throws RpcError `CONNECT_FAILED` */
  async acquire(): Promise<Connection<Item>> {
    const pooled = this.idle.pop();
    if (pooled) clearTimeout(pooled.timer);
    const connection =
      pooled?.connection ??
      (await Connection.open(this.path, this.makeReader, (ended) => this.dropIfIdle(ended)));
    this.busy.add(connection);
    if (this.closed) this.discard(connection);
    return connection;
  }

  /** Gives a connection back for the next command; one with unread bytes is closed instead. */
  release(connection: Connection<Item>): void {
    if (!connection.isClean || this.closed) {
      this.discard(connection);
      return;
    }
    this.busy.delete(connection);
    const timer = setTimeout(() => this.dropIfIdle(connection), this.idleTimeoutMs);
    timer.unref();
    this.idle.push({ connection, timer });
  }

  /** Closes a connection that is in no state to be used again. */
  discard(connection: Connection<Item>): void {
    this.busy.delete(connection);
    connection.close();
  }

  /** Ends every connection; commands under way fail. */
  close(): void {
    this.closed = true;
    for (const { connection, timer } of this.idle.splice(0)) {
      clearTimeout(timer);
      connection.close();
    }
    for (const connection of this.busy) this.discard(connection);
  }

  private dropIfIdle(connection: Connection<Item>): void {
    const index = this.idle.findIndex((entry) => entry.connection === connection);
    if (index < 0) return;
    const [entry] = this.idle.splice(index, 1);
    clearTimeout(entry?.timer);
    connection.close();
  }
}
