import { connect } from 'node:net';
import { describeError } from '../errors.js';
import type { Log } from '../log.js';
import type { SocketPath } from './path.js';

const CHECK_MS = 100;

/** What becomes of a socket whose path changes. */
export interface SocketKeeperActions {
  /** Makes the socket and puts it in its place. */
  bindAnew(): Promise<void>;
  /** Told once that the path leads to another server's socket. */
  superseded(): void;
  /** Told when the other server is gone and the path leads here again. */
  alone(): void;
}

/**
 * Watches the path of the socket.
 *
 * Has the socket made anew when somebody has removed its file: a server whose path is gone goes on serving the
 * connections that it has, and Kong cannot open another one until it is restarted.
 *
 * A path that leads to another server's socket is left alone while somebody listens there: that is a successor, as
 * `kong reload` starts one. When it has gone and left the path missing or dead, the path is taken back.
 */
export class SocketKeeper {
  private readonly path: SocketPath;
  private readonly actions: SocketKeeperActions;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private superseded = false;
  /** How many checks in a row have found nobody there. */
  private vacant = 0;
  private busy = false;
  private failed = false;

  constructor(path: SocketPath, actions: SocketKeeperActions, log: Log) {
    this.path = path;
    this.actions = actions;
    this.log = log;
  }

  start(): void {
    this.timer ??= setInterval(() => void this.check(), CHECK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async check(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      if (await this.isOccupied()) this.vacant = 0;
      // Servers that remove a path before they bind it leave it missing for a moment.
      else if (++this.vacant >= 2) await this.bindAnew();
    } finally {
      this.busy = false;
    }
  }

  private async isOccupied(): Promise<boolean> {
    if (this.path.isMissing()) return false;
    if (!this.path.isTaken()) return true;
    if (!this.superseded) {
      this.superseded = true;
      this.log.notice(`another server has taken over the socket ${this.path.path}`);
      this.actions.superseded();
      return true;
    }
    return await isListenedOn(this.path.path);
  }

  private async bindAnew(): Promise<void> {
    try {
      await this.actions.bindAnew();
    } catch (error) {
      if (!this.failed) {
        this.log.error(`the socket was removed and cannot be made anew yet: ${describeError(error)}`);
      }
      this.failed = true;
      return;
    }
    this.log.error(
      this.superseded
        ? `the server that had taken over the socket ${this.path.path} is gone: serving again`
        : `the socket ${this.path.path} had been removed and was made anew`,
    );
    this.vacant = 0;
    this.failed = false;
    if (!this.superseded) return;
    this.superseded = false;
    this.actions.alone();
  }
}

/** Whether a process listens on a socket, be it too busy to answer. */
function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT');
    });
  });
}
