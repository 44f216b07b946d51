import type { Socket } from 'node:net';
import { pluginInfo } from '../../plugin/dump.js';
import { ProtocolError } from '../../protocol/errors.js';
import { encodeResponse, MessageReader, parseMessage } from '../../protocol/msgpack/index.js';
import { send } from '../backpressure.js';
import type { Commands } from '../commands.js';
import { CommandRefused, describeError } from '../errors.js';
import type { EventData } from './event.js';
import type { MsgpackEvents } from './events.js';

/** The Step methods of Kong: one for each kind of result, all with the same meaning here. */
const STEPS: ReadonlySet<string> = new Set(
  ['', 'Credential', 'Route', 'Service', 'Consumer', 'MemoryStats', 'MultiMap'].map(
    (kind) => `plugin.Step${kind}`,
  ),
);

/** One MsgPack:1 connection: requests in, responses out, in any order. */
export class MsgpackConnection {
  private readonly socket: Socket;
  private readonly commands: Commands;
  private readonly events: MsgpackEvents;
  private readonly messages: MessageReader;
  private outgoing: Buffer[] = [];
  /** Requests without a response so far. */
  private open = 0;
  private leaving = false;
  private draining = false;
  isUnused = true;

  constructor(socket: Socket, commands: Commands, events: MsgpackEvents) {
    this.socket = socket;
    this.commands = commands;
    this.events = events;
    this.messages = new MessageReader((message) => this.receive(message), {
      maxBytes: commands.maxMessageBytes,
    });
  }

  get isIdle(): boolean {
    return this.open === 0;
  }

  /** @throws ProtocolError on malformed bytes; the caller closes the connection */
  push(chunk: Buffer): void {
    // What is decoded has views of it, and the memory of a read is used for the next one.
    this.messages.push(Buffer.from(chunk));
  }

  /** Events do not end with a connection: their next Step may come on another one. */
  close(): void {}

  /** The next Step of an event may come on any connection, so all are needed until the last event has ended. */
  drain(): void {
    this.draining = true;
    this.leaveIfIdle();
  }

  /**
   * What ends while Kong does not use it costs nothing. One whose event is refused is in use again at once, before Kong
   * knows of its end, and what meets that is not tried again.
   */
  leave(): void {
    this.leaveIfIdle();
  }

  private receive(decoded: unknown): void {
    const message = parseMessage(decoded);
    if (message.type === 'notification') return;
    if (message.type === 'response') {
      throw new ProtocolError('MALFORMED_MESSAGE', 'a response, where nothing was asked');
    }
    this.execute(message.id, message.method, message.args);
  }

  private execute(id: number, method: string, args: readonly unknown[]): void {
    this.isUnused = false;
    this.open++;
    if (method === 'plugin.HandleEvent') this.handleEvent(id, args[0]);
    else if (STEPS.has(method)) this.step(id, args[0], false);
    else if (method === 'plugin.StepError') this.step(id, args[0], true);
    else void this.answer(id, method, args);
  }

  private handleEvent(id: number, argument: unknown): void {
    const { InstanceId, EventName } = members(argument);
    if (typeof InstanceId !== 'number' || typeof EventName !== 'string') {
      this.refuse(id, 'plugin.HandleEvent needs InstanceId (a number) and EventName (text)');
      return;
    }
    const instance = this.commands.findInstance(InstanceId);
    // Kong starts the instance anew when it reads these words.
    if (instance === undefined) {
      this.refuse(id, `no plugin instance #${InstanceId}`);
      return;
    }
    if (this.commands.insisting) {
      // Or Kong would come back with its next try, too.
      this.leaving = true;
      this.refuse(id, `no plugin instance #${InstanceId} any more: this server ends`);
      return;
    }
    const event = this.events.create(instance, EventName, this.commands.host);
    event.start((data) => this.respond(id, { Data: data, EventId: event.id }));
  }

  private step(id: number, argument: unknown, failed: boolean): void {
    const { EventId, Data } = members(argument);
    const event = this.events.find(EventId);
    const reply = (data: EventData) => this.respond(id, { Data: data, EventId });
    if (event?.step(failed ? undefined : Data, failed ? Data : undefined, reply)) return;
    if (event === undefined && this.events.forwarder !== undefined && typeof EventId === 'number') {
      this.events.forwarder
        .forward(EventId, failed ? undefined : Data, failed ? Data : undefined)
        .then(reply, (error: unknown) => this.refuse(id, error));
      return;
    }
    this.refuse(id, `event ${typeof EventId === 'number' ? EventId : '(no number)'} is not under way`);
  }

  private async answer(id: number, method: string, args: readonly unknown[]): Promise<void> {
    try {
      this.respond(id, await this.carryOut(method, args[0]));
    } catch (error) {
      this.refuse(id, error);
    }
  }

  private async carryOut(method: string, argument: unknown): Promise<unknown> {
    const { commands } = this;
    switch (method) {
      case 'plugin.StartInstance': {
        const { Name, Config } = members(argument);
        if (typeof Name !== 'string')
          throw new CommandRefused('START_REFUSED', 'StartInstance without a Name');
        const text = Buffer.isBuffer(Config) ? Config.toString('utf8') : Config;
        if (typeof text !== 'string') {
          throw new CommandRefused('START_REFUSED', `plugin "${Name}": the configuration is not text`);
        }
        const instance = await commands.startInstance(Name, text);
        return { Name, Id: instance.id, Config: instance.config, StartTime: instance.startedAt / 1000 };
      }
      case 'plugin.CloseInstance': {
        const closed = await commands.closeInstance(Number(argument));
        return { Name: closed?.plugin.name ?? '', Id: Number(argument) };
      }
      case 'plugin.InstanceStatus': {
        const { id, plugin, config, startedAt } = commands.instance(Number(argument));
        return { Name: plugin.name, Id: id, Config: config, StartTime: startedAt / 1000 };
      }
      case 'plugin.GetPluginInfo': {
        const plugin = commands.plugins.find(({ name }) => name === argument);
        if (plugin === undefined) throw new Error(`plugin "${String(argument)}": not served here`);
        return pluginInfo(plugin);
      }
      case 'plugin.GetStatus':
        return this.status();
      default:
        throw new Error(`method ${method} is not known here`);
    }
  }

  /** As the stock server's, the number of events that Kong has still to come back for, and what a successor asks for. */
  private status(): unknown {
    const plugins = this.commands.plugins.map((plugin) => [
      plugin.name,
      { Name: plugin.name, Modtime: plugin.modifiedAt, LoadTime: plugin.loadedAt },
    ]);
    return {
      Pid: process.pid,
      Plugins: Object.fromEntries(plugins),
      Events: this.events.size,
      Generation: this.commands.generation,
    };
  }

  private refuse(id: number, reason: unknown): void {
    this.commands.refused(reason);
    this.send(encodeResponse(id, describeError(reason), null));
  }

  private respond(id: number, result: unknown): void {
    this.send(encodeResponse(id, null, result));
  }

  private send(bytes: Buffer): void {
    this.open--;
    this.outgoing.push(bytes);
    if (this.outgoing.length === 1) process.nextTick(flushConnection, this);
  }

  flush(): void {
    const { outgoing } = this;
    this.outgoing = [];
    if (this.socket.destroyed) return;
    const bytes = outgoing.length === 1 ? (outgoing[0] as Buffer) : Buffer.concat(outgoing);
    send(this.socket, bytes);
    if (this.leaving || this.draining) this.leaveIfIdle();
  }

  private leaveIfIdle(): void {
    if (this.open === 0 && (this.leaving || this.events.size === 0)) this.socket.end();
  }
}

function flushConnection(connection: MsgpackConnection): void {
  connection.flush();
}

function members(argument: unknown): Record<string, unknown> {
  return typeof argument === 'object' && argument !== null ? (argument as Record<string, unknown>) : {};
}
