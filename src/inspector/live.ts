import type { ServerResponse } from 'node:http';
import type { ExchangeRecord } from './record.js';
import type { ExchangeStore } from './store.js';
import { summaryOf } from './summary.js';

/** Changes are sent together this often: the page has to draw them, and the gateway has work of its own. */
const INTERVAL_MS = 150;
/** So often where they come faster than anybody reads: more than this many at once. */
const BUSY_INTERVAL_MS = 1000;
const BUSY = 30;
/** A page that reads no further is cut off; its browser comes back and gets everything anew. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** Tells pages over server-sent events what is new. */
export class LiveUpdates {
  readonly #pages = new Set<ServerResponse>();
  readonly #changed = new Map<string, ExchangeRecord>();
  #timer: NodeJS.Timeout | undefined;
  #interval = INTERVAL_MS;

  constructor(private readonly store: ExchangeStore) {
    store.watch((record) => {
      if (this.#pages.size === 0) return;
      this.#changed.set(record.id, record);
      this.#timer ??= setTimeout(() => this.#flush(), this.#interval);
    });
  }

  /** Sends everything that is kept, and from then on what changes. */
  open(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(event('all', [...this.store.records].map(summaryOf)));
    this.#pages.add(response);
    response.on('close', () => this.#pages.delete(response));
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const page of this.#pages) page.destroy();
  }

  #flush(): void {
    this.#timer = undefined;
    this.#interval = this.#changed.size > BUSY ? BUSY_INTERVAL_MS : INTERVAL_MS;
    // Of those that came and went meanwhile, nothing is told.
    const records = [...this.#changed.values()].filter(({ id }) => this.store.get(id) !== undefined);
    this.#changed.clear();
    if (records.length === 0) return;
    const text = event('changed', records.map(summaryOf));
    for (const page of this.#pages) {
      if (page.writableLength > MAX_UNREAD_BYTES) page.destroy();
      else page.write(text);
    }
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
