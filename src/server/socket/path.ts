import { chmodSync, lstatSync, renameSync, rmSync, type Stats, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import { dirname } from 'node:path';
import * as util from 'node:util';
import { PluginServerError } from '../../errors.js';

/** Connections that may wait to be accepted. */
export const BACKLOG = 1024;
/** `sun_path` of a unix socket address, less its terminating zero. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** A socket on which connections wait until some process accepts them, for as long as any process has it open. */
export interface BoundHandle {
  readonly fd: number;
  close(): void;
}

/** A socket file, wherever it is renamed to. */
export interface SocketId {
  readonly dev: number;
  readonly ino: number;
}

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
  private bound: SocketId | undefined;
  private own: SocketId | undefined;

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

  /** Makes `server` listen there. @param mode permissions of the socket file, from the first connection on */
  async listen(server: net.Server, mode: number): Promise<void> {
    const shares = canShareSockets(this.path);
    const beside = this.beside();
    // This handle is never closed: the server has its file descriptor, and closes that.
    const where = shares ? { fd: this.bind(mode).fd } : { path: beside };
    if (!shares) this.attempt(() => removeIfThere(beside));
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: NodeJS.ErrnoException) => reject(this.unusable(cause));
      server.once('error', failed);
      server.listen({ ...where, backlog: BACKLOG }, () => {
        server.off('error', failed);
        resolve();
      });
    });
    if (!shares) {
      this.attempt(() => {
        chmodSync(beside, mode);
        this.bound = identity(beside);
      });
    }
    this.takeOver();
  }

  /** Binds beside the path, where connections wait from now on; {@link takeOver} puts the socket in place. */
  bind(mode: number): BoundHandle {
    const beside = this.beside();
    return this.attempt(() => {
      removeIfThere(beside);
      const handle = bindHandle(beside);
      // Nobody can connect before the socket listens, so nobody does before this.
      chmodSync(beside, mode);
      letWait(handle);
      this.bound = identity(beside);
      return handle;
    });
  }

  /** Puts what was bound beside the path in its place. */
  takeOver(): void {
    this.attempt(() => renameSync(this.beside(), this.path));
    this.own = this.bound;
  }

  /** Removes what was bound and not put in its place. */
  discard(): void {
    removeIfThere(this.beside());
  }

  /** What tells the socket that was bound last from every other one that may come to be at its path. */
  get socketId(): SocketId | undefined {
    return this.bound;
  }

  /** For a process that has got a listening socket from the one that bound it. */
  adopt(id: SocketId): void {
    this.own = id;
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
    return besideOf(this.path);
  }

  private unusable(cause: NodeJS.ErrnoException): SocketPathError {
    const folder = dirname(this.path);
    // As root, a folder that is not there is reported as EACCES by listen().
    if (fileAt(folder) === undefined) {
      const message = `cannot listen on ${this.path}: the folder ${folder} does not exist (--socket PATH chooses another)`;
      return new SocketPathError('SOCKET_PATH_UNUSABLE', message, { cause });
    }
    const hint =
      cause.code === 'EACCES' || cause.code === 'EPERM'
        ? ` (no right to write in ${folder}; --socket PATH chooses another)`
        : '';
    const reason = cause.code === undefined ? cause.message : `${cause.code}: ${cause.message}`;
    return new SocketPathError('SOCKET_PATH_UNUSABLE', `cannot listen on ${this.path}: ${reason}${hint}`, {
      cause,
    });
  }
}

/** Under which name this process binds its socket for a path. */
export function besideOf(path: string): string {
  return `${path}.${process.pid}`;
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

function identity(path: string): SocketId {
  const { dev, ino } = lstatSync(path);
  return { dev, ino };
}

/** What Node has behind a listening socket. Each method gives 0, or the number of a system error below 0. */
interface PipeHandle extends BoundHandle {
  open(fd: number): number;
  listen(backlog: number): number;
  readStart(): number;
  readStop(): number;
}

type CreateHandle = (path: string, port: number, type: number) => unknown;

/** Not a documented part of Node, though all of `node:cluster` stands on it. */
const createHandle = () => (net as unknown as { _createServerHandle?: CreateHandle })._createServerHandle;

/**
 * Whether this Node can bind a socket for other processes to accept from. Node documents no way to do so. What is used
 * was there, and did what it is to do, in Node 20.20, 22.23, 24.21 and 26.10; without it a server serves by itself.
 *
 * @param path where the socket is to be: one is bound beside it, to look at, and removed
 */
export function canShareSockets(path: string): boolean {
  const beside = besideOf(path);
  const handle = createHandle()?.(beside, -1, -1) as Partial<PipeHandle> | number | undefined;
  // A path that cannot be bound is reported by who binds it.
  if (typeof handle === 'number') return true;
  if (handle === undefined) return false;
  const { open, listen, readStart, readStop, close, fd } = handle;
  const methods = [open, listen, readStart, readStop, close];
  handle.close?.();
  removeIfThere(beside);
  return typeof fd === 'number' && methods.every((method) => typeof method === 'function');
}

/** Binds without listening, which is what `node:cluster` does for its workers. */
function bindHandle(path: string): PipeHandle {
  const handle = (createHandle() as CreateHandle)(path, -1, -1);
  if (typeof handle === 'number') {
    throw Object.assign(new Error(`bind ${util.getSystemErrorName(handle)} ${path}`), {
      errno: handle,
      code: util.getSystemErrorName(handle),
    });
  }
  return handle as PipeHandle;
}

/**
 * Has the system take connections, and leaves them in its queue: whoever has the socket open, now or later, may accept
 * them. What Node does when it listens is to accept as well, so this handle's wish to hear of connections is withdrawn
 * before the event loop gets to see it; opened like a stream, it withdraws it as a stream does that reads no more.
 */
function letWait(handle: PipeHandle): void {
  const failed = handle.open(handle.fd) || handle.listen(BACKLOG) || handle.readStart() || handle.readStop();
  if (failed === 0) return;
  handle.close();
  const code = util.getSystemErrorName(failed);
  throw Object.assign(new Error(`listen ${code}`), { errno: failed, code });
}
