/** What the plugin server's metrics tell of a plugin. */
export interface EventFigures {
  /** Since the server was started. */
  readonly events: number;
  /** How they ended, as the server counts it: done, exit, error, deadline, lost. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Events a second between the last two readings. */
  readonly eventsPerSecond: number;
  /** Milliseconds that half of the events took at most, and 99 of 100; undefined: there was none. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

export interface ServerFigures {
  /** Resident bytes of its processes. */
  readonly memoryBytes: number;
  readonly instances: number;
  readonly plugins: ReadonlyMap<string, EventFigures>;
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Readings that follow each other faster are one: several pages may ask. */
const LEAST_INTERVAL_MS = 900;

/** Reads the plugin server's metrics, and makes figures of two readings. */
export class FigureReader {
  #last: { at: number; counts: ReadonlyMap<string, number> } | undefined;
  #figures: ServerFigures | undefined;

  /** @param read gives them in Prometheus's text format; undefined: the server cannot be asked now */
  constructor(private readonly read: () => Promise<string | undefined>) {}

  /** undefined: the server cannot be asked, for instance because it is being started anew. */
  async figures(): Promise<ServerFigures | undefined> {
    const now = performance.now();
    if (this.#last !== undefined && now - this.#last.at < LEAST_INTERVAL_MS) return this.#figures;
    const text = await this.read();
    this.#figures = text === undefined ? undefined : this.#figuresOf(parseMetrics(text), now);
    return this.#figures;
  }

  #figuresOf(samples: readonly Sample[], now: number): ServerFigures {
    const sum = (name: string) =>
      samples.reduce((total, sample) => (sample.name === name ? total + sample.value : total), 0);
    const names = new Set(
      samples.flatMap(({ labels: { plugin } }) => (plugin === undefined ? [] : [plugin])),
    );
    const counts = new Map<string, number>();
    const plugins = new Map<string, EventFigures>();
    for (const name of names) {
      const own = samples.filter(({ labels }) => labels.plugin === name);
      const outcomes: Record<string, number> = {};
      for (const { name: metric, labels, value } of own) {
        const { outcome } = labels;
        if (metric !== 'kong_ts_events_total' || outcome === undefined) continue;
        outcomes[outcome] = (outcomes[outcome] ?? 0) + value;
      }
      const events = Object.values(outcomes).reduce((a, b) => a + b, 0);
      counts.set(name, events);
      // A server that was started anew counts from zero.
      const before = Math.min(this.#last?.counts.get(name) ?? events, events);
      const seconds = this.#last === undefined ? 1 : (now - this.#last.at) / 1000;
      const buckets = own.filter((sample) => sample.name === 'kong_ts_event_seconds_bucket');
      plugins.set(name, {
        events,
        outcomes,
        eventsPerSecond: (events - before) / seconds,
        p50: quantile(buckets, 0.5),
        p99: quantile(buckets, 0.99),
      });
    }
    this.#last = { at: now, counts };
    return {
      memoryBytes: sum('process_resident_memory_bytes'),
      instances: sum('kong_ts_instances'),
      plugins,
    };
  }
}

/** As Prometheus's histogram_quantile, over all phases; in milliseconds. */
function quantile(buckets: readonly Sample[], share: number): number | undefined {
  const counts = new Map<number, number>();
  for (const { labels, value } of buckets) {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  const bounds = [...counts].sort(([a], [b]) => a - b);
  const wanted = (bounds.at(-1)?.[1] ?? 0) * share;
  if (wanted === 0) return undefined;
  let [from, below] = [0, 0];
  for (const [to, count] of bounds) {
    if (count >= wanted) {
      const within =
        to === Number.POSITIVE_INFINITY ? from : from + ((to - from) * (wanted - below)) / (count - below);
      return within * 1000;
    }
    [from, below] = [to, count];
  }
  return undefined;
}

/** Lines of Prometheus's text format, comments left out. */
function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const [, name, inner = '', value] = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)/i.exec(line) ?? [];
    if (name === undefined) continue;
    const labels: Record<string, string> = {};
    for (const [, label = '', quoted = ''] of inner.matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"/gi)) {
      labels[label] = quoted.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    }
    samples.push({ name, labels, value: Number(value) });
  }
  return samples;
}
