import type { ConfiguredPlugin, EventOutcome, PluginCaller, PluginEvent } from '../plugin-port.js';
import { PluginEventError } from '../plugin-port.js';
import type { MakeReader } from './connection.js';
import { CLAIM_LEFT, Instances } from './instances.js';
import { type RpcOptions, type RpcSettings, withDefaults } from './options.js';
import { ConnectionPool } from './pool.js';

/** What both protocols have of Kong's side of a plugin server's socket: connections, instances and their end. */
export abstract class SocketCaller<Item> implements PluginCaller {
  protected readonly settings: RpcSettings;
  protected readonly pool: ConnectionPool<Item>;
  protected readonly instances: Instances;
  protected closed = false;

  constructor(options: RpcOptions, makeReader: MakeReader<Item>) {
    this.settings = withDefaults(options);
    const { socketPath, idleTimeoutMs, claimTimeoutMs } = this.settings;
    this.pool = new ConnectionPool(socketPath, idleTimeoutMs, makeReader);
    this.instances = new Instances(
      {
        start: (plugin) => this.startInstance(plugin),
        close: (plugin, id) => this.#close(plugin, id),
        leftClaim: ({ name }) => this.settings.log('warn', `[${name}] ${CLAIM_LEFT}`),
      },
      claimTimeoutMs,
    );
  }

  abstract handleEvent(event: PluginEvent): Promise<EventOutcome>;

  /** @returns the instance's id */
  protected abstract startInstance(plugin: ConfiguredPlugin): Promise<number>;

  protected abstract closeInstance(plugin: ConfiguredPlugin, instanceId: number): Promise<unknown>;

  close(): void {
    this.closed = true;
    this.pool.close();
  }

  protected eventError(plugin: ConfiguredPlugin, cause: unknown): PluginEventError {
    const error = new PluginEventError(`[${plugin.name}] ${reasonOf(cause)}`, { cause });
    this.settings.log('error', error.message);
    return error;
  }

  async #close(plugin: ConfiguredPlugin, instanceId: number): Promise<void> {
    try {
      await this.closeInstance(plugin, instanceId);
    } catch (error) {
      // The old instance is of no further use: the server drops it in its own time.
      this.settings.log('warn', `[${plugin.name}] closing instance ${instanceId}: ${reasonOf(error)}`);
    }
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
