/** What a load counted. Latencies are in milliseconds, from the event's first byte to its end. */
export interface LoadResult {
  events: number;
  /** Answers that were not what the sample request asked for, and connections that broke. */
  errors: number;
  firstError?: string;
  seconds: number;
  p50: number;
  p99: number;
  /** Events by the process that said it handled them; only where the load asked for it. */
  byWorker: Record<string, number>;
}

/** Counts finished events while it is open; what ends before or after is not part of the figures. */
export class Tally {
  #latencies = new Float64Array(1 << 16);
  #events = 0;
  #errors = 0;
  #firstError: string | undefined;
  #openedAt = 0;
  readonly #byWorker: Record<string, number> = {};

  open(): void {
    this.#events = 0;
    this.#openedAt = performance.now();
  }

  get events(): number {
    return this.#events;
  }

  done(startedAt: number): void {
    if (this.#events === this.#latencies.length) {
      const larger = new Float64Array(this.#latencies.length * 2);
      larger.set(this.#latencies);
      this.#latencies = larger;
    }
    this.#latencies[this.#events++] = performance.now() - startedAt;
  }

  handledBy(worker: string): void {
    this.#byWorker[worker] = (this.#byWorker[worker] ?? 0) + 1;
  }

  failed(what: string): void {
    this.#errors++;
    this.#firstError ??= what;
  }

  close(): LoadResult {
    const seconds = (performance.now() - this.#openedAt) / 1000;
    const sorted = this.#latencies.subarray(0, this.#events).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      events: this.#events,
      errors: this.#errors,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
      seconds,
      p50: at(0.5),
      p99: at(0.99),
      byWorker: { ...this.#byWorker },
    };
  }
}
