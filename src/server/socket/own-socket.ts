import type { Server } from 'node:net';
import { SocketKeeper } from './keeper.js';
import { type Accepting, createListener, type Listening } from './listening.js';
import { assertMayTakeOver } from './owner.js';
import { SocketPath } from './path.js';

const DEFAULT_MODE = 0o600;

/**
 * The socket of a process that serves alone: it takes the path over, and looks after it.
 *
 * ```ts
 * await server.listen(new OwnSocket('/usr/local/kong/plugins.sock'));
 * ```
 */
export class OwnSocket implements Listening {
  private readonly path: SocketPath;
  private readonly mode: number;
  private server: Server | undefined;
  private keeper: SocketKeeper | undefined;

  /**
   * @param mode permissions of the socket file
   * @throws SocketPathError when the path is longer than a socket address holds
   */
  constructor(path: string, mode = DEFAULT_MODE) {
    this.path = new SocketPath(path);
    this.mode = mode;
  }

  async open(to: Accepting): Promise<void> {
    const { generation } = await assertMayTakeOver(this.path.path);
    to.generation = generation;
    await this.bind(to);
    const actions = { bindAnew: () => this.bind(to), superseded: () => to.leave(), alone: () => to.stay() };
    this.keeper = new SocketKeeper(this.path, actions, to.log);
    this.keeper.start();
  }

  release(): void {
    this.keeper?.stop();
    this.path.release();
  }

  close(): void {
    this.release();
    this.server?.close();
    this.server = undefined;
  }

  private async bind(to: Accepting): Promise<void> {
    const server = createListener(to.log, (socket) => to.accept(socket));
    await this.path.listen(server, this.mode);
    this.server?.close();
    this.server = server;
  }
}
