import { encodeFrame, FrameReader } from '../../protocol/protobuf/frames.js';
import { PROTOBUF_METHODS } from '../../protocol/protobuf/methods.js';
import { decodeRpcReturn, encodeRpcCall, type RpcCall, type RpcReturn } from '../../protocol/protobuf/rpc.js';
import type { ConfiguredPlugin, EventOutcome, PdkHost, PluginEvent } from '../plugin-port.js';
import { LuaError, ResponseExit, UnknownPdkMethod } from '../plugin-port.js';
import type { Connection } from './connection.js';
import { RpcError } from './errors.js';
import type { RpcOptions } from './options.js';
import { decodeArguments, encodeResult } from './protobuf-values.js';
import { SocketCaller } from './socket-caller.js';

/** Kong waits for frames of any announced length. */
const MAX_FRAME_BYTES = 2 ** 32;

/** The first sequence number of a fresh worker. */
const FIRST_SEQUENCE = 2;

type Command = Omit<RpcCall, 'sequence'>;

/**
 * Kong's side of ProtoBuf:1. Fails closed: whatever goes wrong fails the event, but for a clean close by the
 * server, after which the plugin's instances are forgotten and the event runs again from its beginning.
 */
export class ProtobufCaller extends SocketCaller<Buffer> {
  private readonly lastSequence = new Map<string, number>();

  constructor(options: RpcOptions) {
    super(options, (onFrame) => new FrameReader((payload) => onFrame(Buffer.from(payload)), MAX_FRAME_BYTES));
  }

  override async handleEvent(event: PluginEvent): Promise<EventOutcome> {
    const { plugin, phase } = event;
    for (;;) {
      const instanceId = await this.instances.idFor(plugin).catch((error: unknown) => {
        throw this.eventError(plugin, error);
      });
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

  protected override async startInstance(plugin: ConfiguredPlugin): Promise<number> {
    const config = Buffer.from(JSON.stringify(plugin.config));
    const answer = await this.command(plugin, { cmd_start_instance: { name: plugin.name, config } });
    if (!answer.instance_status) throw new RpcError('BAD_ANSWER', 'the answer has no instance_status');
    return answer.instance_status.instance_id;
  }

  protected override closeInstance(plugin: ConfiguredPlugin, instanceId: number): Promise<unknown> {
    return this.command(plugin, { cmd_close_instance: { instance_id: instanceId } });
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
