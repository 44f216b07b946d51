import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';

/** A debugger, as far as a test needs one: commands and events of the DevTools protocol over a WebSocket. */
export class DebuggerClient {
  private rest = Buffer.alloc(0);
  private lastId = 0;
  private readonly waiting: { method: string; resolve: () => void }[] = [];
  private readonly seen: string[] = [];

  private constructor(private readonly socket: Duplex) {
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
  }

  /** @param url `ws://host:port/id`, as Node prints it */
  static attach(url: string): Promise<DebuggerClient> {
    const { hostname, port, pathname } = new URL(url);
    const request = http.request({
      host: hostname,
      port,
      path: pathname,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      },
    });
    return new Promise((resolve, reject) => {
      request.on('upgrade', (_response, socket) => resolve(new DebuggerClient(socket)));
      request.on('error', reject);
      request.end();
    });
  }

  send(method: string): void {
    const payload = Buffer.from(JSON.stringify({ id: ++this.lastId, method }));
    // One text frame, masked as clients must; no command here is longer than 125 bytes.
    const mask = randomBytes(4);
    const masked = payload.map((byte, index) => byte ^ (mask[index % 4] as number));
    this.socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]));
  }

  /** Resolves when the event has come, also before this was called. */
  event(method: string): Promise<void> {
    const index = this.seen.indexOf(method);
    if (index >= 0) {
      this.seen.splice(index, 1);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push({ method, resolve }));
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 2) {
      const short = (this.rest[1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.rest.length < head) return;
      const length =
        short < 126
          ? short
          : short === 126
            ? this.rest.readUInt16BE(2)
            : Number(this.rest.readBigUInt64BE(2));
      if (this.rest.length < head + length) return;
      this.tell(this.rest.subarray(head, head + length).toString());
      this.rest = this.rest.subarray(head + length);
    }
  }

  private tell(text: string): void {
    const { method } = JSON.parse(text) as { method?: string };
    if (method === undefined) return;
    const index = this.waiting.findIndex((waiter) => waiter.method === method);
    if (index < 0) this.seen.push(method);
    else this.waiting.splice(index, 1)[0]?.resolve();
  }
}
