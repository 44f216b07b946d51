import type { PluginDefinition } from '../plugin/definition.js';
import type { Instance } from './instances/instances.js';
import type { Log } from './log.js';
import type { EventHost } from './plugin-event.js';

/** What a connection, of whichever protocol, asks of the server behind it. */
export interface Commands {
  readonly plugins: readonly PluginDefinition[];
  readonly log: Log;
  readonly host: EventHost;
  /** Of this server, 0 or 1; its successor has the other one. */
  readonly generation: number;
  /** Largest frame or message accepted. */
  readonly maxMessageBytes: number;
  /**
   * Whether events are to be sent elsewhere: another server has the socket's path by now, or this one ends. Over
   * ProtoBuf:1 they are refused, each by closing its connection, and Kong comes to the successor by its retries. Over
   * MsgPack:1 it does not try again when a connection ends under a command of its, so those end that are idle.
   */
  readonly leaving: boolean;
  /** Whether it has been leaving for so long that events over MsgPack:1 are refused, too. */
  readonly insisting: boolean;

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
