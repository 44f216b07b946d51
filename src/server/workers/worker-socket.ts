import type { Server, Socket } from 'node:net';
import type { Log } from '../log.js';
import { type Accepting, createListener, type Listening } from '../socket/listening.js';
import { BACKLOG } from '../socket/path.js';
import { waitUntil } from '../wait-until.js';
import { FairAccept } from './fair-accept.js';
import { SOCKET_FD, SPARE_SOCKET_FD } from './messages.js';

const FORGET_MS = 500;

/**
 * The socket that a worker shares with its siblings. Where it listens before there is a server, connections are accepted
 * and wait, unread: Kong would rather wait for an answer than for a socket.
 */
export class WorkerSocket implements Listening {
  private readonly log: Log;
  private readonly fair = new FairAccept();
  private readonly waiting: Socket[] = [];
  private listener: Server | undefined;
  private spare: number | undefined = SPARE_SOCKET_FD;
  private server: (Accepting & { readonly connectionCount: number }) | undefined;
  private turningAway = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.log = log;
  }

  /** Resolves when connections are accepted. */
  listen(): Promise<void> {
    return this.listenOn(SOCKET_FD);
  }

  async open(to: Accepting & { readonly connectionCount: number }): Promise<void> {
    this.server = to;
    if (this.listener === undefined) await this.listen();
    for (const socket of this.waiting.splice(0)) if (!socket.destroyed) this.accepted(socket);
    this.timer = setInterval(() => this.fair.forget(to.connectionCount), FORGET_MS);
    this.timer.unref();
  }

  /** Leaves new connections to the siblings; true when it can listen again by {@link resume}. */
  pause(): boolean {
    if (this.spare === undefined) return false;
    this.listener?.close();
    this.listener = undefined;
    return true;
  }

  /** Accepts again what has been waiting since, and what comes. */
  async resume(): Promise<void> {
    if (this.listener !== undefined || this.spare === undefined) return;
    const fd = this.spare;
    this.spare = undefined;
    await this.listenOn(fd);
  }

  /** Listens on another socket from now on: the file of the one before was removed. */
  async replace(listen: (listener: Server) => Promise<void>): Promise<void> {
    const listener = createListener(this.log, (socket) => this.accepted(socket));
    await listen(listener);
    this.listener?.close();
    this.listener = listener;
    this.spare = undefined;
  }

  /** Ends what waits cleanly, and what still comes: there is not going to be a server. */
  async turnAway(withinMs: number): Promise<void> {
    this.turningAway = true;
    for (const socket of this.waiting) socket.resume().end();
    const gone = () => this.waiting.every((socket) => socket.destroyed);
    await waitUntil(gone, performance.now() + withinMs);
  }

  release(): void {
    this.listener?.close();
    this.listener = undefined;
  }

  close(): void {
    this.release();
    clearInterval(this.timer);
  }

  private async listenOn(fd: number): Promise<void> {
    const listener = createListener(this.log, (socket) => this.accepted(socket));
    this.listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ fd, backlog: BACKLOG }, resolve);
    });
  }

  private accepted(socket: Socket): void {
    const { server } = this;
    if (server !== undefined) {
      server.accept(socket);
      this.fair.accepted(server.connectionCount);
      return;
    }
    // Whoever hangs up while it waits is noticed when it is read from.
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    this.waiting.push(socket);
    if (this.turningAway) socket.resume().end();
  }
}
