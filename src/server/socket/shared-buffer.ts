import { type Server, Socket } from 'node:net';

/** As much as Node reads at a time. */
const BUFFER_BYTES = 65_536;
/** Up to this length the views of the buffer are kept: most of what Kong writes is a length, or a short frame. */
const KEPT_VIEWS = 1024;

/** What every connection's bytes are read into. They are looked at before the next read, and then overwritten. */
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
const views: (Buffer | undefined)[] = new Array(KEPT_VIEWS + 1).fill(undefined);

/** What Node has behind a listener; not part of its documented API. */
interface ListeningHandle {
  onconnection?: (status: number, client: object | undefined) => void;
}

/**
 * Has a listener's connections read into one buffer, where Node would allocate 64 KB for each read and hand it out
 * shortened: half of what a read costs, and Kong writes in small pieces.
 *
 * `net.Socket` has this as its option `onread`, which `net.Server` does not hand on, so the connections are made here, by
 * the listener's handle. Where a Node has no such handle, the connections are ordinary ones (tried with 20, 22, 24 and 26).
 * To whoever listens for `data` there is one difference: a chunk holds its bytes only until the listener returns.
 */
export function readIntoSharedBuffer(listener: Server, accept: (socket: Socket) => void): void {
  const handle = (listener as { _handle?: ListeningHandle | null })._handle;
  const ordinary = handle?.onconnection;
  if (handle === undefined || handle === null || ordinary === undefined) return;
  handle.onconnection = function (this: ListeningHandle, status, client): void {
    if (status !== 0 || client === undefined) {
      ordinary.call(this, status, client);
      return;
    }
    const options = { handle: client, allowHalfOpen: true, onread: ON_READ };
    accept(new Socket(options));
  };
}

const ON_READ = { buffer, callback: received as (bytes: number, buffer: Uint8Array) => boolean };

function received(this: Socket, bytes: number): boolean {
  let chunk = views[bytes];
  if (chunk === undefined) {
    chunk = buffer.subarray(0, bytes);
    if (bytes <= KEPT_VIEWS) views[bytes] = chunk;
  }
  this.emit('data', chunk);
  return true;
}
