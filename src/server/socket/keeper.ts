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
}

/**
 * Watches the path of the socket.
 *
 * Has the socket made anew when somebody has removed its file: a server whose path is gone goes on serving the
 * connections that it has, and Kong cannot open another one until it is restarted.
 *
 * A path that leads to another server's socket is left alone: that is a successor, as `kong reload` starts one.
 */
export class SocketKeeper {
  private readonly path: SocketPath;
  private readonly actions: SocketKeeperActions;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private wasMissing = false;
  private busy = false;
  private failed = false;

  constructor(path: SocketPath, actions: SocketKeeperActions, log: Log) {
    this.path = path;
    this.actions = actions;
    this.log = log;
  }

  start(): void {
    this.timer = setInterval(() => void this.check(), CHECK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    if (this.busy) return;
    if (this.path.isTaken()) {
      this.stop();
      this.log.notice(`another server has taken over the socket ${this.path.path}`);
      this.actions.superseded();
      return;
    }
    // Servers that remove a path before they bind it leave it missing for a moment.
    const missing = this.path.isMissing();
    if (!missing || !this.wasMissing) {
      this.wasMissing = missing;
      return;
    }
    this.busy = true;
    try {
      await this.actions.bindAnew();
      this.log.error(`the socket ${this.path.path} had been removed and was made anew`);
      this.wasMissing = false;
      this.failed = false;
    } catch (error) {
      if (!this.failed) {
        this.log.error(`the socket was removed and cannot be made anew yet: ${describeError(error)}`);
      }
      this.failed = true;
    } finally {
      this.busy = false;
    }
  }
}
