import type { ExchangeRecord, RecordedBody } from './record.js';
import type { RecordListener } from './recorder.js';

/** How many exchanges are kept. */
const MAX_RECORDS = 1000;
/** How many bytes of bodies and texts are kept of all of them together. */
const MAX_BYTES = 96 * 1024 * 1024;

/** The newest exchanges. What is older than the newest 1,000, or does not fit into 96 MiB with them, is dropped. */
export class ExchangeStore implements RecordListener {
  readonly #records = new Map<string, ExchangeRecord>();
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  #onChange: (record: ExchangeRecord) => void = () => undefined;

  /** Oldest first. */
  get records(): Iterable<ExchangeRecord> {
    return this.#records.values();
  }

  get size(): number {
    return this.#records.size;
  }

  /** Names the one that is told of each exchange that is new or has changed. */
  watch(onChange: (record: ExchangeRecord) => void): void {
    this.#onChange = onChange;
  }

  get(id: string): ExchangeRecord | undefined {
    return this.#records.get(id);
  }

  /** The newest exchange whose client had this port. */
  fromPort(port: number): ExchangeRecord | undefined {
    return [...this.#records.values()].findLast(({ client }) => client.port === port);
  }

  readonly onStart = (record: ExchangeRecord): void => {
    this.#records.set(record.id, record);
    if (this.#records.size > MAX_RECORDS) this.#dropOldest();
    this.#onChange(record);
  };

  readonly onAnswer = (record: ExchangeRecord): void => this.#onChange(record);

  readonly onEnd = (record: ExchangeRecord): void => {
    if (this.#records.has(record.id)) {
      const size = sizeOf(record);
      this.#sizes.set(record.id, size);
      this.#bytes += size;
      while (this.#bytes > MAX_BYTES && this.#records.size > 1) this.#dropOldest();
    }
    this.#onChange(record);
  };

  readonly onStack = (record: ExchangeRecord): void => this.#onChange(record);

  #dropOldest(): void {
    const oldest = this.#records.keys().next();
    if (oldest.done) return;
    this.#records.delete(oldest.value);
    this.#bytes -= this.#sizes.get(oldest.value) ?? 0;
    this.#sizes.delete(oldest.value);
  }
}

/** What an exchange holds, roughly: its bodies, and the texts that plugins passed. */
function sizeOf(record: ExchangeRecord): number {
  const bodies = [record.request, record.upstreamRequest, record.upstreamResponse, record.response];
  let size = bodies.reduce((sum, message) => sum + bodySize(message?.body), 0);
  for (const { calls } of record.runs) {
    for (const { args, answer } of calls) {
      for (const value of args) size += lengthOf(value);
      size += lengthOf(answer);
    }
  }
  return size;
}

function bodySize(body: RecordedBody | undefined): number {
  return body === undefined ? 0 : Math.min(body.bytes, 64 * 1024);
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value.length : 64;
}
