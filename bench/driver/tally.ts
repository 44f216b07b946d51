/** What a load counted. Latencies are in milliseconds, from when the event was due to its end. */
export interface LoadResult {
  events: number;
  /** Answers that were not what the sample request asked for, and connections that broke. */
  errors: number;
  firstError?: string;
  seconds: number;
  p50: number;
  p99: number;
  p999: number;
  /** How late the driver began the events it had a connection for: 99 of 100 no later than that, in milliseconds. */
  late: number;
  /** Events by the process that said it handled them; only where the load asked for it. */
  byWorker: Record<string, number>;
}

/** Counts finished events while it is open; what ends before or after is not part of the figures. */
export class Tally {
  readonly #latencies = new Times();
  readonly #lateness = new Times();
  #errors = 0;
  #firstError: string | undefined;
  #openedAt = 0;
  readonly #byWorker: Record<string, number> = {};

  open(): void {
    this.#latencies.clear();
    this.#lateness.clear();
    this.#openedAt = performance.now();
  }

  get events(): number {
    return this.#latencies.count;
  }

  began(late: number): void {
    this.#lateness.add(late);
  }

  done(dueAt: number): void {
    this.#latencies.add(performance.now() - dueAt);
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
    const latencies = this.#latencies.sorted();
    return {
      events: latencies.length,
      errors: this.#errors,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
      seconds,
      p50: at(latencies, 0.5),
      p99: at(latencies, 0.99),
      p999: at(latencies, 0.999),
      late: at(this.#lateness.sorted(), 0.99),
      byWorker: { ...this.#byWorker },
    };
  }
}

class Times {
  #values = new Float64Array(1 << 16);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  add(time: number): void {
    if (this.count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.count++] = time;
  }

  /** Good until the next call of another method. */
  sorted(): Float64Array {
    return this.#values.subarray(0, this.count).sort();
  }
}

function at(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
