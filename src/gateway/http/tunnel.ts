import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';

/** One end of an upgraded connection, with what has been read of it already. */
export interface TunnelEnd {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Passes bytes between two ends until both are over. */
export async function tunnel(a: TunnelEnd, b: TunnelEnd): Promise<void> {
  a.socket.write(b.head);
  b.socket.write(a.head);
  a.socket.pipe(b.socket);
  b.socket.pipe(a.socket);
  const ends = [
    [a, b],
    [b, a],
  ] as const;
  await Promise.all(
    ends.map(([end, other]) =>
      finished(end.socket)
        // A connection that breaks off takes the other one with it.
        .catch(() => undefined)
        .finally(() => other.socket.destroy()),
    ),
  );
}
