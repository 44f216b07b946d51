import type { PluginDefinition } from '../plugin/definition.js';
import type { Instance } from './instances.js';
import type { Log } from './log.js';
import type { EventHost } from './plugin-event.js';

/** What a connection, of whichever protocol, asks of the server behind it. */
export interface Commands {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  readonly host: EventHost;
  /** Largest frame or message accepted. */
  readonly maxMessageBytes: number;

  /** The instance, marked as used; undefined when there is none. */
  findInstance(id: number): Instance | undefined;

  /** @throws CommandRefused `UNKNOWN_INSTANCE` */
  instance(id: number): Instance;

  /** @throws CommandRefused `START_REFUSED` */
  startInstance(name: string, configText: string): Promise<Instance>;

  /** Undefined when there was none: Kong closes what a server that is gone had started, and means no harm. */
  closeInstance(id: number): Promise<Instance | undefined>;

  /** Writes the one log line that every refused command gets. */
  refused(reason: unknown): void;
}
