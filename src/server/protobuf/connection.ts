import type { Socket } from 'node:net';
import type { PdkMethod } from '../../pdk/methods.js';
import { pluginInfo } from '../../plugin/dump.js';
import { ProtocolError } from '../../protocol/errors.js';
import { EMPTY_FRAME, FrameReader } from '../../protocol/protobuf/frames.js';
import { writeMessage } from '../../protocol/protobuf/messages.js';
import {
  decodeRpcCall,
  type RpcCall,
  type RpcReturn,
  writeEventReturn,
} from '../../protocol/protobuf/rpc.js';
import { Writer } from '../../protocol/protobuf/writer.js';
import { send } from '../backpressure.js';
import type { Commands } from '../commands.js';
import { CommandRefused } from '../errors.js';
import { ProtobufEvent } from './event.js';
import type { ProtobufCall } from './pdk-calls.js';

/** A call whose answer has not come yet. */
interface Awaited {
  /** Absent once nobody waits for it any more; the answer itself still has to be read. */
  event: ProtobufEvent | undefined;
  readonly method: PdkMethod;
  readonly call: ProtobufCall;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The place of an answer that nobody is interested in. */
const NOTHING = undefined;

/**
 * One ProtoBuf:1 connection: commands in, PDK calls out, their answers in, in strict order. Kong sends one command at a
 * time and the next one only after this one's end; frames that come in between are answers.
 */
export class ProtobufConnection {
  private readonly socket: Socket;
  private readonly commands: Commands;
  private readonly frames: FrameReader;
  private readonly writer = new Writer();
  /** One entry per call that Kong has still to answer, the oldest first. */
  private readonly answers: (Awaited | typeof NOTHING)[] = [];
  private event: ProtobufEvent | undefined;
  private busy = false;
  private ended = false;
  private flushing = false;
  private draining = false;
  isUnused = true;

  constructor(socket: Socket, commands: Commands) {
    this.socket = socket;
    this.commands = commands;
    this.frames = new FrameReader((payload) => this.receive(payload), commands.maxMessageBytes);
  }

  get isIdle(): boolean {
    return !this.busy && !this.ended;
  }

  /** @throws ProtocolError on malformed bytes; the caller closes the connection */
  push(chunk: Buffer): void {
    // After an exit nothing that Kong might still send means anything.
    if (!this.ended) this.frames.push(chunk);
  }

  /** The socket is gone. */
  close(): void {
    this.ended = true;
    this.event?.lose();
    this.event = undefined;
  }

  /**
   * Ends the connection once the command under way, if any, has been answered. By half only: what Kong sends at this
   * very moment must not be answered with a reset, after which it would not even try again.
   */
  drain(): void {
    this.draining = true;
    this.leaveIfIdle();
  }

  /** Its next event is refused by the end of the connection, after which Kong tries again. */
  leave(): void {}

  sendCall(call: ProtobufCall, args: readonly unknown[]): void {
    const { writer } = this;
    const start = writer.length;
    writer.raw(call.head);
    const mark = writer.openFrame();
    try {
      call.write(writer, args);
    } catch (error) {
      writer.truncate(start);
      throw error;
    }
    writer.closeFrame(mark);
    this.flushLater();
  }

  expectNothing(): void {
    this.answers.push(NOTHING);
  }

  expectAnswer(event: ProtobufEvent, method: PdkMethod, call: ProtobufCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.answers.push({ event, method, call, resolve, reject });
    });
  }

  /** Kong answers nothing from here on and closes the connection when the client has its response. */
  sendExit(call: ProtobufCall, args: readonly unknown[]): void {
    this.sendCall(call, args);
    this.ended = true;
    this.event = undefined;
  }

  sendEnd(sequence: number): void {
    this.writer.raw(EMPTY_FRAME);
    this.event = undefined;
    this.busy = false;
    const mark = this.writer.openFrame();
    writeEventReturn(this.writer, sequence);
    this.writer.closeFrame(mark);
    this.flushLater();
  }

  releaseAnswers(event: ProtobufEvent, reason: (method: PdkMethod) => Error): void {
    for (const answer of this.answers) {
      if (answer === NOTHING || answer.event !== event) continue;
      answer.event = undefined;
      answer.reject(reason(answer.method));
    }
  }

  private receive(payload: Buffer): void {
    if (this.ended) return;
    if (this.answers.length > 0) this.takeAnswer(payload);
    else if (this.busy) throw new ProtocolError('MALFORMED_MESSAGE', 'a frame in the middle of a command');
    else this.execute(decodeRpcCall(payload));
  }

  private takeAnswer(payload: Buffer): void {
    const answer = this.answers.shift();
    if (answer === NOTHING || answer.event === undefined) return;
    const { event } = answer;
    try {
      answer.resolve(answer.call.read(payload));
    } catch (error) {
      answer.reject(error);
    }
    event.answered();
  }

  private execute(call: RpcCall): void {
    this.busy = true;
    this.isUnused = false;
    const { sequence } = call;
    if (call.cmd_handle_event !== undefined) {
      this.handleEvent(sequence, call.cmd_handle_event.instance_id, call.cmd_handle_event.event_name);
    } else if (call.cmd_start_instance !== undefined) {
      const { name, config } = call.cmd_start_instance;
      void this.answer(sequence, async () => {
        const { id, startedAt } = await this.commands.startInstance(name, config.toString('utf8'));
        return { instance_status: { name, instance_id: id, started_at: Math.floor(startedAt / 1000) } };
      });
    } else if (call.cmd_close_instance !== undefined) {
      const id = call.cmd_close_instance.instance_id;
      void this.answer(sequence, async () => {
        const closed = await this.commands.closeInstance(id);
        return status(id, closed?.plugin.name ?? '', undefined, closed?.startedAt ?? 0);
      });
    } else if (call.cmd_get_instance_status !== undefined) {
      const id = call.cmd_get_instance_status.instance_id;
      void this.answer(sequence, async () => {
        const { plugin, config, startedAt } = this.commands.instance(id);
        return status(id, plugin.name, config, startedAt);
      });
    } else if (call.cmd_get_plugin_names !== undefined) {
      const names = this.commands.plugins.map(({ name }) => name);
      void this.answer(sequence, async () => ({ plugin_names: { names } }));
    } else if (call.cmd_get_plugin_info !== undefined) {
      const { name } = call.cmd_get_plugin_info;
      void this.answer(sequence, async () => ({ plugin_info: this.info(name) }));
    } else {
      this.refuse('a command that is not known here');
    }
  }

  private handleEvent(sequence: number, id: number, phase: string): void {
    const instance = this.commands.findInstance(id);
    if (instance === undefined) {
      this.refuse(`no plugin instance #${id}`);
      return;
    }
    if (this.commands.leaving) {
      this.refuse('another server has the socket by now, or this one ends');
      return;
    }
    const event = new ProtobufEvent(this, sequence, instance, phase, this.commands.host);
    this.event = event;
    void event.run();
  }

  private async answer(sequence: number, execute: () => Promise<Omit<RpcReturn, 'sequence'>>): Promise<void> {
    try {
      const result = await execute();
      if (this.ended) return;
      this.busy = false;
      this.sendReturn({ sequence, ...result });
    } catch (error) {
      this.refuse(error);
    }
  }

  private info(name: string): NonNullable<RpcReturn['plugin_info']> {
    const plugin = this.commands.plugins.find((candidate) => candidate.name === name);
    if (plugin === undefined) throw new CommandRefused('START_REFUSED', `plugin "${name}": not served here`);
    return {
      name,
      updated_at: Math.floor(plugin.modifiedAt),
      loaded_at: Math.floor(plugin.loadedAt),
      phases: [...plugin.phases],
      version: plugin.version,
      priority: plugin.priority,
      schema: JSON.stringify(pluginInfo(plugin).Schema),
    };
  }

  /**
   * There is no error field in RpcReturn: a command is refused by closing the connection. It has to be a clean close
   * (FIN, everything read), or Kong does not try again.
   */
  private refuse(reason: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.commands.refused(reason);
    this.flush();
    this.socket.end();
  }

  private sendReturn(answer: RpcReturn): void {
    const mark = this.writer.openFrame();
    writeMessage(this.writer, 'RpcReturn', answer);
    this.writer.closeFrame(mark);
    this.flushLater();
  }

  /** Everything that is said in one turn of the event loop leaves in one write. */
  private flushLater(): void {
    if (this.flushing) return;
    this.flushing = true;
    process.nextTick(flushConnection, this);
  }

  flush(): void {
    this.flushing = false;
    if (this.writer.length === 0 || this.socket.destroyed) return;
    send(this.socket, this.writer.take());
    if (this.draining) this.leaveIfIdle();
  }

  private leaveIfIdle(): void {
    if (this.busy || this.ended) return;
    this.ended = true;
    this.socket.end();
  }
}

function flushConnection(connection: ProtobufConnection): void {
  connection.flush();
}

function status(id: number, name: string, config: unknown, startedAt: number): Omit<RpcReturn, 'sequence'> {
  return {
    instance_status: {
      name,
      instance_id: id,
      ...(config === undefined ? {} : { config }),
      started_at: Math.floor(startedAt / 1000),
    },
  };
}
