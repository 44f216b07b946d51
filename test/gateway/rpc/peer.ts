import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MakeReader } from '../../../src/gateway/rpc/connection.js';

let count = 0;

export function temporarySocketPath(): string {
  count += 1;
  return join(tmpdir(), `rpc-test-${process.pid}-${count}.sock`);
}

/** Something the gateway did: it sent an item, or it closed a connection. */
export type PeerEvent<Item> = { socket: Socket; item: Item } | { socket: Socket; ended: true };

/** A plugin server's end of the socket, played by hand: a test takes what arrives and answers as it likes. */
export class Peer<Item> {
  /** Every connection ever accepted, in order. */
  readonly sockets: Socket[] = [];
  private readonly events: PeerEvent<Item>[] = [];
  private waiting: ((event: PeerEvent<Item>) => void) | undefined;

  private constructor(
    private readonly server: Server,
    readonly path: string,
  ) {}

  static async listen<Item>(makeReader: MakeReader<Item>, path = temporarySocketPath()): Promise<Peer<Item>> {
    const server = createServer({ allowHalfOpen: true });
    const peer = new Peer<Item>(server, path);
    server.on('connection', (socket) => {
      peer.sockets.push(socket);
      const reader = makeReader((item) => peer.report({ socket, item }));
      socket.on('data', (chunk) => reader.push(chunk));
      socket.on('end', () => peer.report({ socket, ended: true }));
      socket.on('error', () => undefined); // the gateway gave up on it
    });
    server.listen(path);
    await once(server, 'listening');
    return peer;
  }

  /** The next thing the gateway does. */
  async next(): Promise<PeerEvent<Item>> {
    const event = this.events.shift();
    if (event) return event;
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  /** The next item, passing over connections that end. */
  async nextItem(): Promise<{ socket: Socket; item: Item }> {
    for (;;) {
      const event = await this.next();
      if ('item' in event) return event;
    }
  }

  /** Waits for the gateway to close this connection. */
  async closed(socket: Socket): Promise<void> {
    for (;;) {
      const event = await this.next();
      if ('ended' in event && event.socket === socket) return;
    }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.path, { force: true });
  }

  private report(event: PeerEvent<Item>): void {
    const waiting = this.waiting;
    this.waiting = undefined;
    if (waiting) waiting(event);
    else this.events.push(event);
  }
}
