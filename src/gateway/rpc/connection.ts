import { connect as connectSocket, type Socket } from 'node:net';
import { RpcError } from './errors.js';

/** Cuts a byte stream into items and hands each to the callback it was made with. */
export interface StreamReader {
  push(chunk: Buffer): void;
}

export type MakeReader<Item> = (onItem: (item: Item) => void) => StreamReader;

interface Waiter<Item> {
  resolve(item: Item): void;
  reject(error: RpcError): void;
  timer: NodeJS.Timeout;
}

/**
 * One connection to a plugin server, read sequentially: what arrives is kept until somebody asks for it, and the
 * end of the connection is noticed only after everything before it was read.
 */
export class Connection<Item> {
  private readonly items: Item[] = [];
  /** How many chunks have arrived, and with which of them each of the items came. */
  private chunks = 0;
  private readonly itemChunks: number[] = [];
  /** The chunk that the last item read came with. */
  lastReadChunk = 0;
  private waiter: Waiter<Item> | undefined;
  private failure: RpcError | undefined;

  private constructor(
    private readonly socket: Socket,
    makeReader: MakeReader<Item>,
    private readonly onIdleEvent: (connection: Connection<Item>) => void,
  ) {
    const reader = makeReader((item) => this.take(item));
    socket.on('data', (chunk) => {
      this.waiter?.timer.refresh();
      this.chunks++;
      if (this.failure) return;
      try {
        reader.push(chunk);
      } catch (cause) {
        this.fail(new RpcError('BAD_ANSWER', 'the plugin server sent bytes that do not decode', { cause }));
      }
      if (!this.waiter) this.onIdleEvent(this);
    });
    socket.on('end', () => this.fail(new RpcError('CLOSED', 'closed')));
    socket.on('error', (cause) => this.fail(new RpcError('RESET', cause.message, { cause })));
    socket.on('close', () => this.fail(new RpcError('CLOSED', 'closed')));
  }

  /**
   * @param onIdleEvent told when something arrives, or the connection ends, while nobody reads
   * @throws RpcError `CONNECT_FAILED`
   */
  static open<Item>(
    path: string,
    makeReader: MakeReader<Item>,
    onIdleEvent: (connection: Connection<Item>) => void,
  ): Promise<Connection<Item>> {
    return new Promise((resolve, reject) => {
      // Half-open, because only a write tells whether the other side still reads after its FIN.
      const socket = connectSocket({ path, allowHalfOpen: true });
      const refuse = (cause: Error) => {
        reject(new RpcError('CONNECT_FAILED', `connecting to ${path}: ${cause.message}`, { cause }));
      };
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        resolve(new Connection(socket, makeReader, onIdleEvent));
      });
    });
  }

  /** Whether it may serve another command: open, and nothing unread. */
  get isClean(): boolean {
    return !this.failure && this.items.length === 0;
  }

  get isOpen(): boolean {
    return !this.failure;
  }

  /**
   * The next item.
   *
   * @throws RpcError `CLOSED`, `RESET`, `TIMEOUT` or `BAD_ANSWER`
   */
  read(timeoutMs: number): Promise<Item> {
    const item = this.items.shift();
    if (item !== undefined) {
      this.lastReadChunk = this.itemChunks.shift() ?? this.chunks;
      return Promise.resolve(item);
    }
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fail(new RpcError('TIMEOUT', 'timeout')), timeoutMs);
      this.waiter = { resolve, reject, timer };
    });
  }

  /**
   * Sends the pieces, each in a write of its own, as Kong sends a length and its payload.
   *
   * @throws RpcError `SEND_FAILED` when the other side no longer reads
   */
  write(...pieces: Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const last = pieces.length - 1;
      pieces.forEach((piece, index) => {
        this.socket.write(piece, (cause) => {
          if (cause) reject(new RpcError('SEND_FAILED', cause.message, { cause }));
          else if (index === last) resolve();
        });
      });
    });
  }

  /** Forgets what has arrived and was not read. */
  discardUnread(): void {
    this.items.length = 0;
    this.itemChunks.length = 0;
  }

  close(): void {
    this.fail(new RpcError('CLOSED', 'closed'));
    // The server sees a clean end, whatever is still on its way to us.
    this.socket.end();
    this.socket.destroySoon();
  }

  private take(item: Item): void {
    const waiter = this.waiter;
    if (!waiter) {
      this.items.push(item);
      this.itemChunks.push(this.chunks);
      return;
    }
    this.waiter = undefined;
    clearTimeout(waiter.timer);
    this.lastReadChunk = this.chunks;
    waiter.resolve(item);
  }

  private fail(error: RpcError): void {
    if (this.failure) return;
    this.failure = error;
    const waiter = this.waiter;
    this.waiter = undefined;
    if (waiter) {
      clearTimeout(waiter.timer);
      waiter.reject(error);
    } else {
      this.onIdleEvent(this);
    }
  }
}
