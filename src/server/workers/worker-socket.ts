import type { Server, Socket } from 'node:net';
import type { Log } from '../log.js';
import { type Accepting, createListener, type Listening } from '../socket/listening.js';
import { BACKLOG } from '../socket/path.js';
import { waitUntil } from '../wait-until.js';
import { FairAccept } from './fair-accept.js';
import { SOCKET_FD, SPARE_SOCKET_FD } from './messages.js';

const FORGET_MS = 500;
/** Long enough to accept what has been waiting. */
const LAST_ACCEPT_MS = 50;

/** The socket that a worker shares with its siblings: connections wait in it until one of them accepts. */
export class WorkerSocket implements Listening {
  private readonly log: Log;
  private readonly fair = new FairAccept();
  private readonly turnedAway: Socket[] = [];
  private listener: Server | undefined;
  private spare: number | undefined = SPARE_SOCKET_FD;
  private server: (Accepting & { readonly connectionCount: number }) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.log = log;
  }

  async open(to: Accepting & { readonly connectionCount: number }): Promise<void> {
    this.server = to;
    if (this.listener === undefined) await this.listenOn(SOCKET_FD);
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
    const deadline = performance.now() + withinMs;
    if (this.listener === undefined) await this.listenOn(SOCKET_FD);
    const gone = () => this.turnedAway.every((socket) => socket.destroyed);
    await waitUntil(() => false, performance.now() + LAST_ACCEPT_MS);
    await waitUntil(gone, deadline);
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
    this.turnedAway.push(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.resume().end();
  }
}
