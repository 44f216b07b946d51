import { measureWith } from '../api/metrics.js';
import type { PluginDefinition } from '../plugin/definition.js';
import type { ServeOptions } from './flags.js';
import { createLog, type Log, levelOf } from './log.js';
import type { MetricsListener } from './metrics.js';
import { stopOnSignals, surviveStrayErrors } from './process.js';
import { PluginServer } from './server.js';
import { Primary } from './workers/primary.js';
import { workerIndex } from './workers/worker.js';

const DEFAULT_TTL_MS = 60 * 60 * 1000;

/**
 * Serves plugins until a signal ends it: in this process, in workers of this one, or as one of those workers.
 *
 * @param load loads the plugins; called once everything that they may look for is there
 * @returns false when there is nothing to serve
 * @throws SocketPathError when the socket cannot be listened on
 */
export async function serve(
  load: () => Promise<readonly PluginDefinition[]>,
  options: ServeOptions,
): Promise<boolean> {
  const log = createLog(levelOf(options.verbosity));
  const worker = workerIndex();
  if (options.workers > 1 && worker === undefined) return servePrimary(load, options, log);

  surviveStrayErrors(log);
  let server: PluginServer | undefined;
  // The metrics library is a large part of everything that would be loaded, and not every server counts.
  const { Metrics } = options.metrics ? await import('./metrics.js') : {};
  const metrics = Metrics && new Metrics(() => server?.instanceCount ?? 0);
  if (metrics !== undefined) measureWith(metrics.sink());
  const plugins = await load();
  if (plugins.length === 0) return false;
  server = new PluginServer({
    plugins,
    log,
    socketMode: options.socketMode,
    eventDeadlineMs: milliseconds('KONG_TS_EVENT_DEADLINE_MS'),
    instanceTtlMs: milliseconds('KONG_TS_INSTANCE_TTL_MS'),
    metrics,
    worker,
    workers: options.workers,
  });
  if (worker !== undefined) {
    await server.listenAsWorker();
    stopOnSignals(server, log);
    return true;
  }
  await server.listen(options.socket);
  if (metrics) await serveMetrics(options, log, async () => [await metrics.snapshot()]);
  stopOnSignals(server, log);
  sayStarted(log, options, plugins, '');
  return true;
}

async function servePrimary(
  load: () => Promise<readonly PluginDefinition[]>,
  options: ServeOptions,
  log: Log,
): Promise<boolean> {
  // Loaded here only to find out, before any worker is there, whether they load at all.
  const plugins = await load();
  if (plugins.length === 0) return false;
  const primary = new Primary({
    workers: options.workers,
    socket: options.socket,
    socketMode: options.socketMode,
    log,
    instanceTtlMs: milliseconds('KONG_TS_INSTANCE_TTL_MS') ?? DEFAULT_TTL_MS,
  });
  stopOnSignals(primary, log);
  await primary.start();
  if (options.metrics !== undefined) await serveMetrics(options, log, () => primary.metrics());
  sayStarted(log, options, plugins, `, ${options.workers} workers`);
  return true;
}

async function serveMetrics(
  options: ServeOptions,
  log: Log,
  read: ConstructorParameters<typeof MetricsListener>[0],
): Promise<void> {
  const { host, port } = options.metrics as { host: string; port: number };
  const { MetricsListener } = await import('./metrics.js');
  const listener = new MetricsListener(read);
  const bound = await listener.listen(host, port);
  log.notice(`metrics at http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`);
}

function sayStarted(
  log: Log,
  options: ServeOptions,
  plugins: readonly PluginDefinition[],
  more: string,
): void {
  const names = plugins.map(({ name, version }) => `${name} ${version}`).join(', ');
  log.notice(`server started at path ${options.socket}, pid ${process.pid}${more}, plugins: ${names}`);
}

function milliseconds(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${variable} must be a number of milliseconds above 0, not "${text}"`);
}
