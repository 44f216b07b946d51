/** Values of a metric's labels, by label name. */
export type Labels = Readonly<Record<string, string>>;

/** Counts something that only grows. */
export interface Counter {
  /** Adds `n` (default 1). */
  inc(labels?: Labels, n?: number): void;
}

/** Tells how much of something there is now. */
export interface Gauge {
  set(value: number, labels?: Labels): void;
}

/** Notes values, so that their distribution can be read. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Where metrics go: what a server that measures gives to {@link measureWith}. Asking twice for a name gives the same. */
export interface MetricsSink {
  counter(name: string, help: string, labelNames: readonly string[]): (labels: Labels, n: number) => void;
  gauge(name: string, help: string, labelNames: readonly string[]): (labels: Labels, value: number) => void;
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: readonly number[] | undefined,
  ): (labels: Labels, value: number) => void;
}

type Write = (labels: Labels, value: number) => void;

const NO_LABELS: Labels = {};

let sink: MetricsSink | undefined;
/** Counts the changes of the sink, so that a metric knows when what it is bound to is out of date. */
let generation = 0;

/** For the server: where metrics go from now on, those that exist already included; undefined: nowhere. */
export function measureWith(next: MetricsSink | undefined): void {
  sink = next;
  generation += 1;
}

/** One metric, bound to the sink at its first use: plugins make theirs when their module loads. */
class Metric implements Counter, Gauge, Histogram {
  readonly #bind: (sink: MetricsSink) => Write;
  #write: Write | undefined;
  #generation = -1;

  constructor(bind: (sink: MetricsSink) => Write) {
    this.#bind = bind;
  }

  inc(labels = NO_LABELS, n = 1): void {
    this.#put(labels, n);
  }

  set(value: number, labels = NO_LABELS): void {
    this.#put(labels, value);
  }

  observe(value: number, labels = NO_LABELS): void {
    this.#put(labels, value);
  }

  #put(labels: Labels, value: number): void {
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#write = sink === undefined ? undefined : this.#bind(sink);
    }
    this.#write?.(labels, value);
  }
}

/**
 * Metrics of a plugin, served beside the server's own where it was started with `--metrics HOST:PORT`, and silent
 * without. Make them once, when the module loads; two of one name are one metric. Names and labels follow
 * Prometheus's rules: `[a-zA-Z_:][a-zA-Z0-9_:]*`, counters end in `_total`, times are in seconds.
 *
 * ```ts
 * import { metrics } from 'kong-ts-pluginserver';
 *
 * const refused = metrics.counter('my_auth_refused_total', 'Requests refused, by reason.', ['reason']);
 * refused.inc({ reason: 'no_key' });
 * ```
 */
export const metrics = {
  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Metric((to) => to.counter(name, help, labelNames));
  },
  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Metric((to) => to.gauge(name, help, labelNames));
  },
  /** @param buckets upper bounds; default: Prometheus's, from 0.005 to 10 */
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    buckets?: readonly number[],
  ): Histogram {
    return new Metric((to) => to.histogram(name, help, labelNames, buckets));
  },
};
