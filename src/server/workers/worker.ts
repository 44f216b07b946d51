import { measureWith } from '../../api/metrics.js';
import type { PluginDefinition } from '../../plugin/definition.js';
import type { Log } from '../log.js';
import { MsgpackEvents } from '../msgpack/events.js';
import { stopOnSignals, surviveStrayErrors } from '../process.js';
import { PluginServer, type ServerOptions } from '../server.js';
import { MAX_WORKERS } from './messages.js';
import { Orphan } from './orphan.js';
import { PrimaryLine } from './primary-line.js';
import { WorkerSocket } from './worker-socket.js';

/** What a connection that waits may take to be ended when there is not going to be a server. */
const TURN_AWAY_MS = 200;

export interface WorkerOptions extends Pick<ServerOptions, 'eventDeadlineMs' | 'instanceTtlMs' | 'workers'> {
  readonly socketMode: number;
  /** How long it serves when its primary is gone, in milliseconds; 0: it ends with it. */
  readonly lingerMs: number;
  readonly withMetrics: boolean;
  readonly log: Log;
}

/**
 * Serves as a worker, which accepts from the socket that its primary holds.
 *
 * @param load loads the plugins; connections wait meanwhile
 * @returns false when there is nothing to serve
 */
export async function runWorker(
  index: number,
  load: () => Promise<readonly PluginDefinition[]>,
  options: WorkerOptions,
): Promise<boolean> {
  const { log } = options;
  const line = new PrimaryLine(index);
  const socket = new WorkerSocket(log);
  surviveStrayErrors(log);
  try {
    const server = await startServer(index, load, options, line, socket);
    if (server === undefined) await socket.turnAway(TURN_AWAY_MS);
    return server !== undefined;
  } catch (error) {
    await socket.turnAway(TURN_AWAY_MS);
    throw error;
  }
}

async function startServer(
  index: number,
  load: () => Promise<readonly PluginDefinition[]>,
  options: WorkerOptions,
  line: PrimaryLine,
  socket: WorkerSocket,
): Promise<PluginServer | undefined> {
  const { log, lingerMs, socketMode } = options;
  let server: PluginServer | undefined;
  // The metrics library is a large part of everything that would be loaded, and not every server counts.
  const { Metrics } = options.withMetrics ? await import('../metrics.js') : {};
  const metrics = Metrics && new Metrics(() => server?.instanceCount ?? 0);
  if (metrics !== undefined) measureWith(metrics.sink());
  const plugins = await load();
  if (plugins.length === 0) return undefined;
  const msgpackEvents = new MsgpackEvents(index, MAX_WORKERS);
  msgpackEvents.forwarder = line;
  server = new PluginServer({ ...options, plugins, metrics, msgpackEvents, authority: () => line });
  line.connect({ store: server.instances, events: msgpackEvents, metrics, socket, server });
  await server.listen(socket);
  stopOnSignals(server, log);
  const orphaned = (serving: PluginServer) => {
    const { legacy } = line;
    // Without a word from the primary the path is nowhere yet.
    if (lingerMs === 0 || legacy === undefined) void serving.stop(0).then(() => process.exit(1));
    else new Orphan({ index, legacy, server: serving, socket, line, socketMode, lingerMs, log }).start();
  };
  const serving = server;
  void line.lost.then(() => orphaned(serving));
  line.tell({ type: 'ready', plugins: plugins.map(({ name, version }) => `${name} ${version}`) });
  return server;
}
