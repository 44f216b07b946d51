import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricsSink } from '../api/metrics.js';
import type { Outcome, PluginEvent } from './plugin-event.js';

const EVENT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10];

/** The state of all metrics of one process, in a form that can be sent to another one. */
export type MetricsSnapshot = object[];

/** The metrics of one process. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly events: Counter;
  private readonly seconds: Histogram;

  /** @param instances tells how many instances there are, when the metrics are read */
  constructor(instances: () => number) {
    const registers = [this.registry];
    this.events = new Counter({
      name: 'kong_ts_events_total',
      help: 'Events by plugin, phase and outcome: done, exit, error, deadline, lost.',
      labelNames: ['plugin', 'phase', 'outcome'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'kong_ts_event_seconds',
      help: 'Time from an event to its end, waiting for Kong included.',
      labelNames: ['plugin', 'phase'],
      buckets: EVENT_SECONDS,
      registers,
    });
    new Gauge({
      name: 'kong_ts_instances',
      help: 'Instances that are started; the largest number of any worker.',
      registers,
      aggregator: 'max',
      collect() {
        this.set(instances());
      },
    });
    collectDefaultMetrics({ register: this.registry });
  }

  /** Where the metrics of plugins go; for `measureWith`. */
  sink(): MetricsSink {
    const { registry } = this;
    const registers = [registry];
    const known = <T>(name: string) => registry.getSingleMetric(name) as T | undefined;
    return {
      counter(name, help, labels) {
        const labelNames = [...labels];
        const counter = known<Counter>(name) ?? new Counter({ name, help, labelNames, registers });
        return (values, n) => counter.inc(values, n);
      },
      gauge(name, help, labels) {
        const labelNames = [...labels];
        const gauge =
          known<Gauge>(name) ??
          // One worker that does not reach its database is not to be hidden by another that does.
          new Gauge({ name, help, labelNames, registers, aggregator: name.endsWith('_up') ? 'min' : 'sum' });
        return (values, value) => gauge.set(values, value);
      },
      histogram(name, help, labels, bounds) {
        const labelNames = [...labels];
        const buckets = bounds === undefined ? {} : { buckets: [...bounds] };
        const histogram =
          known<Histogram>(name) ?? new Histogram({ name, help, labelNames, registers, ...buckets });
        return (values, value) => histogram.observe(values, value);
      },
    };
  }

  eventEnded(event: PluginEvent, outcome: Outcome, seconds: number): void {
    const plugin = event.instance.plugin.name;
    const { phase } = event;
    this.events.inc({ plugin, phase, outcome });
    this.seconds.observe({ plugin, phase }, seconds);
  }

  async snapshot(): Promise<MetricsSnapshot> {
    return (await this.registry.getMetricsAsJSON()) as MetricsSnapshot;
  }
}

/** What `GET /health` answers. */
interface Health {
  readonly status: 'ok' | 'degraded' | 'down';
  /** How many processes answer, and how many are to. */
  readonly workers: { readonly ready: number; readonly of: number };
  /** What plugins depend on, by the name of their gauge without `_up`: whether every process reaches it. */
  readonly reaches: Readonly<Record<string, boolean>>;
}

/** Serves `GET /metrics` in Prometheus's text format, and `GET /health`. */
export class MetricsListener {
  private readonly server: Server;

  /**
   * @param read the snapshots of all processes that count
   * @param workers how many processes there are to be
   * @param restarts how many processes have taken the place of one that ended
   */
  constructor(read: () => Promise<readonly MetricsSnapshot[]>, workers: number, restarts: () => number) {
    // Counted by whoever starts the processes: a worker that has died counts nothing.
    const own = new Registry();
    new Counter({
      name: 'kong_ts_worker_restarts_total',
      help: 'Workers that ended without being told to, and were replaced.',
      registers: [own],
      collect() {
        this.reset();
        this.inc(restarts());
      },
    });
    this.server = createServer((request, response) => {
      const path = request.url?.split('?', 1)[0];
      if (request.method !== 'GET' || (path !== '/metrics' && path !== '/health')) {
        response.writeHead(404).end('GET /metrics or GET /health\n');
        return;
      }
      read()
        .then(async (snapshots) => {
          if (path === '/metrics') {
            const all = [...snapshots, await own.getMetricsAsJSON()];
            const text = await AggregatorRegistry.aggregate(all).metrics();
            response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
            return;
          }
          const health = healthOf(snapshots, workers);
          response
            .writeHead(health.status === 'down' ? 503 : 200, { 'Content-Type': 'application/json' })
            .end(`${JSON.stringify(health)}\n`);
        })
        .catch((error: Error) => response.writeHead(500).end(`${error.message}\n`));
    });
    this.server.unref();
  }

  /** The port that is listened on. @throws Error when the address cannot be used */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }
}

/** A database that is away is no reason to start the server anew: that is `degraded`, and still 200. */
function healthOf(snapshots: readonly MetricsSnapshot[], workers: number): Health {
  const reaches: Record<string, boolean> = {};
  for (const metric of snapshots.flat() as { name: string; values?: { value: number }[] }[]) {
    if (!metric.name.endsWith('_up')) continue;
    const name = metric.name.slice(0, -'_up'.length);
    for (const { value } of metric.values ?? []) reaches[name] = (reaches[name] ?? true) && value > 0;
  }
  const ready = snapshots.length;
  const whole = ready === workers && Object.values(reaches).every(Boolean);
  return {
    status: ready === 0 ? 'down' : whole ? 'ok' : 'degraded',
    workers: { ready, of: workers },
    reaches,
  };
}
