import type { Socket } from 'node:net';

/** Writes to a connection, and reads nothing more from it until a peer that does not read has caught up. */
export function send(socket: Socket, bytes: Buffer): void {
  if (socket.write(bytes) || socket.isPaused()) return;
  socket.pause();
  // Only now: most connections never see a full buffer, and a listener costs each of them.
  socket.once('drain', resume);
}

function resume(this: Socket): void {
  this.resume();
}
