import { encodeRequest } from '../../protocol/msgpack/messages.js';
import { MessageReader } from '../../protocol/msgpack/reader.js';
import type { ConfiguredPlugin, EventOutcome, PdkHost, PluginEvent } from '../plugin-port.js';
import { LuaError, ResponseExit, UnknownPdkMethod } from '../plugin-port.js';
import type { Connection } from './connection.js';
import { RpcError } from './errors.js';
import { luaArguments, stepData, stepMethod } from './msgpack-values.js';
import type { RpcOptions } from './options.js';
import { SocketCaller } from './socket-caller.js';

/** Kong sets no limits. */
const LIMITS = { maxBytes: 2 ** 31, maxValues: 2 ** 31 };

const RESPONSE = 1;
const NOTIFICATION = 2;

type Fields = Record<string, unknown>;

/**
 * Kong's side of MsgPack:1. Fails open: when the server answers an event with an error, or not at all, Kong goes on
 * as if the plugin were not there. It fails closed only where starting an instance fails, where a PDK call raises
 * a Lua error, and where an answer makes no sense.
 */
export class MsgpackCaller extends SocketCaller<unknown> {
  private readonly lastIds = new Map<string, number>();
  private readonly serverPids = new Map<string, unknown>();

  constructor(options: RpcOptions) {
    super(options, (onItem) => new MessageReader(onItem, LIMITS));
  }

  override async handleEvent(event: PluginEvent): Promise<EventOutcome> {
    const { plugin } = event;
    for (;;) {
      let instanceId: number;
      try {
        instanceId = await this.instances.idFor(plugin);
      } catch (error) {
        if (error instanceof RpcError && error.code === 'NOT_CLAIMED') return this.skipped(event, error);
        throw this.eventError(plugin, error);
      }
      try {
        event.observer?.instance(instanceId);
        return await this.runEvent(event, instanceId);
      } catch (error) {
        if (error instanceof ResponseExit) return 'exit';
        if (!(error instanceof RpcError) || error.code === 'BAD_ANSWER') throw this.eventError(plugin, error);
        if (error.code !== 'REFUSED' || !/no plugin instance/i.test(error.message) || this.closed) {
          return this.skipped(event, error);
        }
        event.observer?.retried(error.message);
        this.settings.log('warn', `[${plugin.name}] ${error.message}`);
        this.instances.forget(plugin.name);
      }
    }
  }

  private async runEvent(pluginEvent: PluginEvent, instanceId: number): Promise<EventOutcome> {
    const { plugin, phase, host, observer } = pluginEvent;
    let answer = await this.request(plugin, 'plugin.HandleEvent', {
      InstanceId: instanceId,
      EventName: phase,
    });
    // Later answers carry it as well, but Kong goes by the first.
    const event = isFields(answer) && answer.EventId !== undefined ? { EventId: answer.EventId } : {};
    for (;;) {
      if (answer === null || answer === undefined || answer === false) {
        return this.skipped(pluginEvent, new RpcError('REFUSED', 'nil result'));
      }
      const data = isFields(answer) ? answer.Data : undefined;
      if (text(data) === 'ret') return 'done';
      const method = isFields(data) ? text(data.Method) : undefined;
      if (!isFields(data) || method === undefined) {
        throw new RpcError('BAD_ANSWER', 'the answer to an event is neither a PDK call nor "ret"');
      }
      observer?.batch();
      const result = await this.performCall(plugin, host, method, data.Args);
      const step = result === undefined ? event : { ...event, Data: result };
      answer = await this.request(plugin, stepMethod(method), step);
    }
  }

  private async performCall(
    plugin: ConfiguredPlugin,
    host: PdkHost,
    method: string,
    args: unknown,
  ): Promise<unknown> {
    if (method === '') throw new LuaError("attempt to call local 'method' (a table value)");
    try {
      return stepData(method, await host.call(method, luaArguments(args)));
    } catch (error) {
      if (!(error instanceof UnknownPdkMethod)) throw error;
      this.settings.log('error', `[${plugin.name}] could not find pdk method: ${method}`);
      return undefined;
    }
  }

  /** Kong also runs an instance that was started without an id, and lets the next request wait; we refuse it. */
  protected override async startInstance(plugin: ConfiguredPlugin): Promise<number> {
    const config = JSON.stringify(plugin.config);
    const status = await this.request(plugin, 'plugin.StartInstance', { Name: plugin.name, Config: config });
    const id = isFields(status) ? status.Id : undefined;
    if (typeof id !== 'number') throw new RpcError('BAD_ANSWER', 'the answer to StartInstance has no Id');
    return id;
  }

  protected override closeInstance(plugin: ConfiguredPlugin, instanceId: number): Promise<unknown> {
    return this.request(plugin, 'plugin.CloseInstance', instanceId);
  }

  /**
   * Sends one request, on whichever pooled connection is free, and returns its result.
   *
   * @throws RpcError `REFUSED` when the response carries an error text
   */
  private async request(plugin: ConfiguredPlugin, method: string, argument: unknown): Promise<unknown> {
    const id = (this.lastIds.get(plugin.name) ?? 0) + 1;
    this.lastIds.set(plugin.name, id);
    const connection = await this.pool.acquire();
    let response: unknown[];
    try {
      await connection.write(encodeRequest(id, method, [argument]));
      response = await this.response(connection, plugin, id);
    } catch (error) {
      this.pool.discard(connection);
      throw error;
    }
    // What came behind the response in the same read is lost with Kong's buffer.
    connection.discardUnread();
    this.pool.release(connection);
    const [, , error, result] = response;
    if (error === null || error === undefined) return result;
    const message = text(error);
    if (message === undefined) throw new RpcError('BAD_ANSWER', 'the error of a response is not a string');
    throw new RpcError('REFUSED', message);
  }

  private async response(
    connection: Connection<unknown>,
    plugin: ConfiguredPlugin,
    id: number,
  ): Promise<unknown[]> {
    for (;;) {
      const message = await connection.read(this.settings.readTimeoutMs);
      if (!Array.isArray(message)) throw new RpcError('BAD_ANSWER', 'a message is not an array');
      if (message[0] === NOTIFICATION) {
        if (text(message[1]) === 'serverPid') this.noteServerPid(plugin, message[2]);
      } else if (message[0] === RESPONSE && message[1] === id) {
        return message;
      } else {
        throw new RpcError('BAD_ANSWER', `message ${message[0]} ${message[1]} does not answer request ${id}`);
      }
    }
  }

  /** Another process serves the socket: it knows none of our instances. */
  private noteServerPid(plugin: ConfiguredPlugin, pid: unknown): void {
    const known = this.serverPids.get(plugin.name);
    this.serverPids.set(plugin.name, pid);
    if (known !== undefined && known !== pid) this.instances.forget(plugin.name);
  }

  private skipped({ plugin, observer }: PluginEvent, error: RpcError): EventOutcome {
    observer?.skipped(error.message);
    this.settings.log('error', `[${plugin.name}] ${error.message}`);
    return 'skipped';
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

/** Texts may come as binary as well. */
function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}
