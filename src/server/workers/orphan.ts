import { readFileSync } from 'node:fs';
import type { Log } from '../log.js';
import type { PluginServer } from '../server.js';
import { SocketKeeper } from '../socket/keeper.js';
import { SocketPath } from '../socket/path.js';
import { waitUntil } from '../wait-until.js';
import type { Legacy, PrimaryLine } from './primary-line.js';
import type { WorkerSocket } from './worker-socket.js';

const CHECK_MS = 100;
/** Long enough to accept what was on its way when the path was removed. */
const LAST_ACCEPT_MS = 50;
/** Long enough for Kong to close its side of the connections that are ended here. */
const LAST_READ_MS = 2000;
/** Kong closes a connection that nobody uses after 60 s. */
const KONG_IDLE_MS = 65_000;
/** Without a connection for so long, nobody uses a server: a Kong that stops has closed all of them. */
const UNUSED_MS = 1000;

export interface OrphanOptions {
  readonly index: number;
  readonly legacy: Legacy;
  readonly server: PluginServer;
  readonly socket: WorkerSocket;
  readonly line: PrimaryLine;
  readonly socketMode: number;
  /** How long it serves without a successor, in milliseconds; longer only while Kong uses it. */
  readonly lingerMs: number;
  readonly log: Log;
}

/**
 * A worker whose primary is gone: Kong has ended it, or something has killed it. It goes on serving the socket that it
 * holds until a successor has the path and its own connections are gone, or until it has lingered long enough and nobody
 * uses it: a successor that takes long to start, or fails to, is no gap, and after the end of Kong nothing is left.
 *
 * Of several, the one with the lowest number looks after the path and starts instances. The others serve what they
 * know. One that is asked for an instance no sibling would know of starts it and stops accepting, so that connections,
 * refused one by one, move to the first.
 */
export class Orphan {
  private readonly options: OrphanOptions;
  private readonly path: SocketPath;
  private readonly keeper: SocketKeeper;
  private readonly since = performance.now();
  private supersededAt: number | undefined;
  private leads = false;
  private steppedBack = false;
  private usedAt = performance.now();
  private accepted = -1;
  private timer: NodeJS.Timeout | undefined;

  /** @param options.legacy what the primary has left */
  constructor(options: OrphanOptions) {
    this.options = options;
    const { legacy, server, socket, log, socketMode } = options;
    this.path = new SocketPath(legacy.path);
    this.path.adopt(legacy.socketId);
    const actions = {
      bindAnew: () => socket.replace((listener) => this.path.listen(listener, socketMode)),
      superseded: () => this.superseded(),
      alone: () => {
        this.supersededAt = undefined;
        server.stay();
      },
    };
    this.keeper = new SocketKeeper(this.path, actions, log);
  }

  /** Takes over from the primary. */
  start(): void {
    const { line, log, lingerMs } = this.options;
    line.decideAlone(() => this.startsInstance());
    log.notice(
      `the primary is gone: serving on until another server takes over; without one for ${lingerMs / 1000} s, and as long as somebody is connected`,
    );
    this.timer = setInterval(() => void this.check(), CHECK_MS);
    void this.check();
  }

  private async check(): Promise<void> {
    if (!this.leads && this.isFirst()) await this.lead();
    if (!this.leads && this.supersededAt === undefined && this.path.isTaken()) this.superseded();
    const now = performance.now();
    const unusedMs = this.unusedMs(now);
    const { lingerMs } = this.options;
    const isOver =
      this.supersededAt === undefined
        ? now - this.since > lingerMs && unusedMs >= Math.min(UNUSED_MS, lingerMs) && !this.isNeeded()
        : unusedMs > 2 * CHECK_MS || now - this.supersededAt > KONG_IDLE_MS;
    if (isOver) await this.end();
  }

  /** For how long there has been no connection, those included that came and went between two checks. */
  private unusedMs(now: number): number {
    const { connectionCount, acceptedCount } = this.options.server;
    if (connectionCount > 0 || acceptedCount !== this.accepted) this.usedAt = now;
    this.accepted = acceptedCount;
    return now - this.usedAt;
  }

  private async lead(): Promise<void> {
    this.leads = true;
    this.keeper.start();
    if (!this.steppedBack) return;
    this.steppedBack = false;
    await this.options.socket.resume();
    if (this.supersededAt === undefined) this.options.server.stay();
  }

  private superseded(): void {
    this.supersededAt = performance.now();
    this.options.server.leave();
  }

  private startsInstance(): void {
    if (this.leads || this.steppedBack || this.isFirst() || !this.options.socket.pause()) return;
    this.steppedBack = true;
    this.options.server.leave();
  }

  /** Whether it keeps the path for siblings that are still in use: who removes it must be the last. */
  private isNeeded(): boolean {
    const { legacy, index } = this.options;
    return this.leads && legacy.pids.slice(index + 1).some(isRunning);
  }

  /** Whether no worker with a lower number is left. */
  private isFirst(): boolean {
    return !this.options.legacy.pids.slice(0, this.options.index).some(isRunning);
  }

  private async end(): Promise<void> {
    clearInterval(this.timer);
    this.keeper.stop();
    const { server, log } = this.options;
    server.leave();
    this.path.release();
    const startedAt = performance.now();
    await waitUntil(() => false, startedAt + LAST_ACCEPT_MS);
    await server.drain(LAST_READ_MS);
    log.notice('no longer needed: ended');
    process.exit(0);
  }
}

/** False also for what is dead and has only not been reaped by the system yet. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    // Only Linux has this file.
    return process.platform !== 'linux';
  }
}
