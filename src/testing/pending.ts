import type { ExchangeRecord } from '../inspector/record.js';
import { TestKitError } from './errors.js';

interface Waiter {
  readonly resolve: (record: ExchangeRecord) => void;
  readonly reject: (error: Error) => void;
}

/** Finds the record of a request by the port that it came from. */
export class Pending {
  readonly #waiting = new Map<number, Waiter>();

  /** Resolves when the exchange of the next request from this port is over. */
  recordOf(localPort: number): Promise<ExchangeRecord> {
    return new Promise((resolve, reject) => this.#waiting.set(localPort, { resolve, reject }));
  }

  ended(record: ExchangeRecord): void {
    const waiter = this.#waiting.get(record.client.port);
    this.#waiting.delete(record.client.port);
    waiter?.resolve(record);
  }

  close(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new TestKitError('CLOSED', 'the gateway was closed before the request had ended'));
    }
    this.#waiting.clear();
  }
}
