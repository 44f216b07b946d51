import { chmodSync, lstatSync, renameSync, rmSync, type Stats, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { PluginServerError } from '../../errors.js';

/** Connections that may wait to be accepted. */
export const BACKLOG = 1024;
/** `sun_path` of a unix socket address, less its terminating zero. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** The path cannot be listened on. */
export class SocketPathError extends PluginServerError {
  constructor(
    code: 'SOCKET_PATH_TOO_LONG' | 'SOCKET_PATH_UNUSABLE' | 'SOCKET_PATH_IN_USE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
  }
}

/**
 * A socket path that is taken over without a moment in which it is missing or dead: the socket is bound under a name
 * beside it and renamed into place.
 *
 * `kong reload` runs the old and the new server side by side on one path and then ends the old one; whoever removed the
 * path at that end would take the new server's socket away for good. So it is given up only while it is one's own.
 */
export class SocketPath {
  readonly path: string;
  private own: { dev: number; ino: number } | undefined;

  /** @throws SocketPathError when the path is longer than a socket address holds */
  constructor(path: string) {
    this.path = path;
    const bytes = Buffer.byteLength(this.beside());
    if (bytes > MAX_PATH_BYTES) {
      throw new SocketPathError(
        'SOCKET_PATH_TOO_LONG',
        `the socket path ${path} is too long: ${bytes} bytes with its temporary ending, ${MAX_PATH_BYTES} are possible`,
      );
    }
  }

  /** Makes `server` listen there. @param mode permissions of the socket file */
  async listen(server: Server, mode: number): Promise<void> {
    const beside = this.beside();
    this.attempt(() => removeIfThere(beside));
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: NodeJS.ErrnoException) => reject(this.unusable(cause));
      server.once('error', failed);
      server.listen({ path: beside, backlog: BACKLOG }, () => {
        server.off('error', failed);
        resolve();
      });
    });
    this.attempt(() => chmodSync(beside, mode));
    this.takeOver();
  }

  /** Binds without listening yet; {@link takeOver} puts the socket in place. */
  bind<Handle>(create: (beside: string) => Handle, mode: number): Handle {
    const beside = this.beside();
    return this.attempt(() => {
      removeIfThere(beside);
      const handle = create(beside);
      chmodSync(beside, mode);
      return handle;
    });
  }

  /** Puts what was bound beside the path in its place. */
  takeOver(): void {
    const beside = this.beside();
    this.attempt(() => {
      const { dev, ino } = lstatSync(beside);
      renameSync(beside, this.path);
      this.own = { dev, ino };
    });
  }

  /** True while the path leads to the socket that was put there. */
  isOwn(): boolean {
    const { own } = this;
    if (own === undefined) return false;
    const now = fileAt(this.path);
    return now !== undefined && now.dev === own.dev && now.ino === own.ino;
  }

  /** True while nothing at all is there. */
  isMissing(): boolean {
    return fileAt(this.path) === undefined;
  }

  /** True when another socket was put there. */
  isTaken(): boolean {
    return !this.isOwn() && fileAt(this.path)?.isSocket() === true;
  }

  /** Removes the path if it is still one's own. */
  release(): void {
    if (this.isOwn()) removeIfThere(this.path);
    this.own = undefined;
  }

  private attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      if (fileAt(this.beside()) !== undefined) rmSync(this.beside(), { force: true });
      throw this.unusable(cause as NodeJS.ErrnoException);
    }
  }

  private beside(): string {
    return `${this.path}.${process.pid}`;
  }

  private unusable(cause: NodeJS.ErrnoException): SocketPathError {
    const reason = cause.code === undefined ? cause.message : `${cause.code}: ${cause.message}`;
    return new SocketPathError('SOCKET_PATH_UNUSABLE', `cannot listen on ${this.path}: ${reason}`, { cause });
  }
}

/** What is at a path; undefined when nothing is, or not even the folder. */
export function fileAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
