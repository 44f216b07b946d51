import { encodeFrame, FrameReader } from '../../protocol/protobuf/frames.js';
import { PROTOBUF_METHODS } from '../../protocol/protobuf/methods.js';
import { decodeRpcReturn, encodeRpcCall, type RpcCall, type RpcReturn } from '../../protocol/protobuf/rpc.js';
import type { ConfiguredPlugin, EventOutcome, PdkHost, PluginCaller, PluginEvent } from '../plugin-port.js';
import { LuaError, PluginEventError, ResponseExit, UnknownPdkMethod } from '../plugin-port.js';
import type { Connection } from './connection.js';
import { RpcError } from './errors.js';
import { CLAIM_LEFT, Instances } from './instances.js';
import { type RpcOptions, type RpcSettings, withDefaults } from './options.js';
import { ConnectionPool } from './pool.js';
import { decodeArguments, encodeResult } from './protobuf-values.js';

/** Kong waits for frames of any announced length. */
const MAX_FRAME_BYTES = 2 ** 32;

/** The first sequence number of a fresh worker. */
const FIRST_SEQUENCE = 2;

type Command = Omit<RpcCall, 'sequence'>;

/**
 * Kong's side of ProtoBuf:1. Fails closed: whatever goes wrong fails the event, but for a clean close by the
 * server, after which the plugin's instances are forgotten and the event runs again from its beginning.
 */
export class ProtobufCaller implements PluginCaller {
  private readonly settings: RpcSettings;
  private readonly pool: ConnectionPool<Buffer>;
  private readonly instances: Instances;
  private readonly lastSequence = new Map<string, number>();
  private closed = false;

  constructor(options: RpcOptions) {
    this.settings = withDefaults(options);
    this.pool = new ConnectionPool(
      this.settings.socketPath,
      this.settings.idleTimeoutMs,
      (onFrame) => new FrameReader((payload) => onFrame(Buffer.from(payload)), MAX_FRAME_BYTES),
    );
    this.instances = new Instances(
      {
        start: (plugin) => this.startInstance(plugin),
        close: (plugin, id) => this.closeInstance(plugin, id),
        leftClaim: ({ name }) => this.settings.log('warn', `[${name}] ${CLAIM_LEFT}`),
      },
      this.settings.claimTimeoutMs,
    );
  }

  async handleEvent(event: PluginEvent): Promise<EventOutcome> {
    const { plugin, phase } = event;
    for (;;) {
      const instanceId = await this.instanceId(plugin);
      try {
        event.observer?.instance(instanceId);
        const command = { cmd_handle_event: { instance_id: instanceId, event_name: phase } };
        return await this.runEvent(event, command);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (error.code !== 'CLOSED' || this.closed) throw this.eventError(plugin, error);
        event.observer?.retried(error.message);
        this.settings.log('warn', `[${plugin.name}] closed`);
        this.instances.forget(plugin.name);
      }
    }
  }

  close(): void {
    this.closed = true;
    this.pool.close();
  }

  private async instanceId(plugin: ConfiguredPlugin): Promise<number> {
    try {
      return await this.instances.idFor(plugin);
    } catch (error) {
      throw this.eventError(plugin, error);
    }
  }

  private async runEvent(event: PluginEvent, command: Command): Promise<EventOutcome> {
    const { sequence, connection } = await this.send(event.plugin, command);
    const { observer } = event;
    let chunk = 0;
    try {
      for (;;) {
        const method = await connection.read(this.settings.readTimeoutMs);
        if (method.length === 0) break;
        if (observer !== undefined && connection.lastReadChunk !== chunk) {
          chunk = connection.lastReadChunk;
          observer.batch();
        }
        const args = await connection.read(this.settings.readTimeoutMs);
        const reply = await performCall(event.host, method.toString(), args);
        await writeFrame(connection, reply);
      }
    } catch (error) {
      if (error instanceof RpcError) {
        this.pool.discard(connection);
        throw error;
      }
      // The coroutine is suspended or dead; nobody reads its connection until the request's resources are freed.
      void Promise.resolve(event.requestEnded).finally(() => this.pool.discard(connection));
      if (error instanceof ResponseExit) return 'exit';
      throw this.eventError(event.plugin, error);
    }
    await this.answer(connection, sequence);
    return 'done';
  }

  private async startInstance(plugin: ConfiguredPlugin): Promise<number> {
    const config = Buffer.from(JSON.stringify(plugin.config));
    const answer = await this.command(plugin, { cmd_start_instance: { name: plugin.name, config } });
    if (!answer.instance_status) throw new RpcError('BAD_ANSWER', 'the answer has no instance_status');
    return answer.instance_status.instance_id;
  }

  private async closeInstance(plugin: ConfiguredPlugin, instanceId: number): Promise<void> {
    try {
      await this.command(plugin, { cmd_close_instance: { instance_id: instanceId } });
    } catch (error) {
      // The old instance is of no further use: the server drops it in its own time.
      const reason = error instanceof Error ? error.message : String(error);
      this.settings.log('warn', `[${plugin.name}] closing instance ${instanceId}: ${reason}`);
    }
  }

  private async command(plugin: ConfiguredPlugin, command: Command): Promise<RpcReturn> {
    const { sequence, connection } = await this.send(plugin, command);
    return this.answer(connection, sequence);
  }

  private async send(plugin: ConfiguredPlugin, command: Command) {
    const sequence = (this.lastSequence.get(plugin.name) ?? FIRST_SEQUENCE - 1) + 1;
    this.lastSequence.set(plugin.name, sequence);
    const connection = await this.pool.acquire();
    try {
      await writeFrame(connection, encodeRpcCall({ sequence, ...command }));
    } catch (error) {
      this.pool.discard(connection);
      throw error;
    }
    return { sequence, connection };
  }

  /** Reads the RpcReturn. The connection goes back to the pool before anybody looks at what it says. */
  private async answer(connection: Connection<Buffer>, sequence: number): Promise<RpcReturn> {
    let payload: Buffer;
    try {
      payload = await connection.read(this.settings.readTimeoutMs);
    } catch (error) {
      this.pool.discard(connection);
      throw error;
    }
    this.pool.release(connection);
    let answer: RpcReturn;
    try {
      answer = decodeRpcReturn(payload);
    } catch (cause) {
      throw new RpcError('BAD_ANSWER', 'the RpcReturn does not decode', { cause });
    }
    if (answer.sequence !== sequence) {
      throw new RpcError('BAD_ANSWER', `RpcReturn ${answer.sequence} answers RpcCall ${sequence}`);
    }
    return answer;
  }

  private eventError(plugin: ConfiguredPlugin, cause: unknown): PluginEventError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new PluginEventError(`[${plugin.name}] ${reason}`, { cause });
    this.settings.log('error', error.message);
    return error;
  }
}

/** @throws LuaError also where the arguments do not decode, and what the host throws */
async function performCall(host: PdkHost, name: string, payload: Buffer): Promise<Buffer> {
  const method = PROTOBUF_METHODS.get(name);
  if (!method) throw new UnknownPdkMethod(name);
  let args: ReturnType<typeof decodeArguments>;
  try {
    args = decodeArguments(method, payload);
  } catch (cause) {
    throw new LuaError(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return encodeResult(method, await host.call(name, args));
}

/** Length and payload in writes of their own, so that servers meet them apart as they do with Kong. */
function writeFrame(connection: Connection<Buffer>, payload: Buffer): Promise<void> {
  const frame = encodeFrame(payload);
  if (payload.length === 0) return connection.write(frame);
  return connection.write(frame.subarray(0, 4), frame.subarray(4));
}
