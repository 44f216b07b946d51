import type { PluginDefinition } from '../plugin/definition.js';
import type { ServeOptions } from './flags.js';
import { createLog, type Log, levelOf } from './log.js';
import type { MetricsListener } from './metrics.js';
import { stopOnSignals, surviveClosedOutput, surviveStrayErrors, whenAbandoned } from './process.js';
import { canShareSockets } from './socket/path.js';
import { WORKER_VARIABLE } from './workers/messages.js';

const DEFAULT_TTL_MS = 60 * 60 * 1000;

type Load = () => Promise<readonly PluginDefinition[]>;

/**
 * Serves plugins until a signal ends it: in workers of this process, as one of those workers, or, where nothing is to
 * outlive this process and one is enough, in this process itself.
 *
 * @param load loads the plugins, in the process that serves them
 * @returns false when there is nothing to serve
 * @throws SocketPathError when the socket cannot be listened on
 * @throws WorkerFailedError when the workers cannot serve; they have said why
 */
export async function serve(load: Load, options: ServeOptions): Promise<boolean> {
  const log = createLog(levelOf(options.verbosity));
  const index = workerIndex();
  if (index !== undefined) return serveAsWorker(index, load, options, log);
  if (options.workers === 1 && options.lingerMs === 0) return serveAlone(load, options, log);
  if (!canShareSockets(options.socket)) {
    log.error(`--workers and --linger have no effect with Node ${process.versions.node}: one process serves`);
    return serveAlone(load, options, log);
  }
  await servePrimary(options, log);
  return true;
}

/** The number of this worker; undefined in a process that is none. */
function workerIndex(): number | undefined {
  const text = process.env[WORKER_VARIABLE];
  return text === undefined || process.send === undefined ? undefined : Number(text);
}

// Each of them loads what it needs and no more: the primary is to be small and quick.

async function serveAsWorker(
  index: number,
  load: Load,
  { socketMode, lingerMs, metrics, workers }: ServeOptions,
  log: Log,
): Promise<boolean> {
  const { runWorker } = await import('./workers/worker.js');
  return runWorker(index, load, {
    socketMode,
    lingerMs,
    withMetrics: metrics !== undefined,
    workers,
    log,
    ...limits(),
  });
}

async function serveAlone(load: Load, options: ServeOptions, log: Log): Promise<boolean> {
  surviveStrayErrors(log);
  const [{ PluginServer }, { OwnSocket }, { measureWith }] = await Promise.all([
    import('./server.js'),
    import('./socket/own-socket.js'),
    import('../api/metrics.js'),
  ]);
  let server: InstanceType<typeof PluginServer> | undefined;
  // The metrics library is a large part of everything that would be loaded, and not every server counts.
  const { Metrics } = options.metrics ? await import('./metrics.js') : {};
  const metrics = Metrics && new Metrics(() => server?.instanceCount ?? 0);
  if (metrics !== undefined) measureWith(metrics.sink());
  const plugins = await load();
  if (plugins.length === 0) return false;
  server = new PluginServer({ plugins, log, metrics, ...limits() });
  await server.listen(new OwnSocket(options.socket, options.socketMode));
  if (metrics) await serveMetrics(options, log, async () => [await metrics.snapshot()]);
  stopOnSignals(server, log);
  whenAbandoned(log, () => process.kill(process.pid, 'SIGTERM'));
  sayStarted(
    log,
    options,
    plugins.map(({ name, version }) => `${name} ${version}`),
  );
  return true;
}

async function servePrimary(options: ServeOptions, log: Log): Promise<void> {
  surviveClosedOutput();
  const { Primary } = await import('./workers/primary.js');
  const primary = new Primary({
    workers: options.workers,
    socket: options.socket,
    socketMode: options.socketMode,
    log,
    instanceTtlMs: limits().instanceTtlMs ?? DEFAULT_TTL_MS,
  });
  const starting = primary.start();
  if (options.lingerMs === 0) {
    stopOnSignals(primary, log);
    whenAbandoned(log, () => process.kill(process.pid, 'SIGTERM'));
  } else {
    // Kong ends this process and nothing else: the workers see that, and go on. A Ctrl-C means all of it.
    stopOnSignals(primary, log, ['SIGINT']);
    process.once('SIGTERM', () => {
      log.notice(
        `SIGTERM: the workers serve on for ${options.lingerMs / 1000} s, or until they are replaced`,
      );
      process.exit(0);
    });
    whenAbandoned(log, () => process.exit(0));
  }
  const plugins = await starting;
  if (options.metrics !== undefined) {
    const restarts = () => primary.restarts;
    await serveMetrics(options, log, () => primary.metrics(), restarts);
  }
  sayStarted(log, options, plugins);
}

function limits(): { eventDeadlineMs: number | undefined; instanceTtlMs: number | undefined } {
  return {
    eventDeadlineMs: milliseconds('KONG_TS_EVENT_DEADLINE_MS'),
    instanceTtlMs: milliseconds('KONG_TS_INSTANCE_TTL_MS'),
  };
}

async function serveMetrics(
  options: ServeOptions,
  log: Log,
  read: ConstructorParameters<typeof MetricsListener>[0],
  restarts: () => number = () => 0,
): Promise<void> {
  const { host, port } = options.metrics as { host: string; port: number };
  const { MetricsListener } = await import('./metrics.js');
  const listener = new MetricsListener(read, options.workers, restarts);
  const bound = await listener.listen(host, port);
  log.notice(`metrics at http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`);
}

function sayStarted(log: Log, options: ServeOptions, plugins: readonly string[]): void {
  const workers = options.workers === 1 ? '' : `, ${options.workers} workers`;
  log.notice(
    `server started at path ${options.socket}, pid ${process.pid}${workers}, plugins: ${plugins.join(', ')}`,
  );
}

function milliseconds(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${variable} must be a number of milliseconds above 0, not "${text}"`);
}
