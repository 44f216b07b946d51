import { createServer, type Server, type Socket } from 'node:net';
import { describeError } from '../errors.js';
import type { Log } from '../log.js';
import { readIntoSharedBuffer } from './shared-buffer.js';

/** What a socket that is listened on does with a server. */
export interface Accepting {
  readonly log: Log;
  /** Of the server, 0 or 1: another one than its predecessor's, so that their instance ids differ. */
  generation: number;
  /** Gives it a connection. */
  accept(socket: Socket): void;
  /** Kong is to be sent elsewhere with each event that it brings: another server has the path by now. */
  leave(): void;
  /** The opposite: the other server is gone. */
  stay(): void;
}

/** Where a server's connections come from: a path of its own, or the socket that workers share. */
export interface Listening {
  /** Begins to accept. @throws SocketPathError */
  open(to: Accepting): Promise<void>;
  /** Lets nobody find the socket any more who has not found it yet. */
  release(): void;
  /** Accepts nothing more. */
  close(): void;
}

/**
 * A listener that does not listen yet; connections stay open for writing when their other side has ended, and a chunk of
 * theirs holds its bytes only until the listener for `data` returns.
 */
export function createListener(log: Log, accept: (socket: Socket) => void): Server {
  const server = createServer({ allowHalfOpen: true }, accept);
  server.on('listening', () => readIntoSharedBuffer(server, accept));
  server.on('error', (error) => log.error(`listening socket: ${describeError(error)}`));
  return server;
}
