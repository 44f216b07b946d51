import type { Socket } from 'node:net';
import { ProtocolError } from '../protocol/errors.js';
import type { Commands } from './commands.js';
import { describeError } from './errors.js';
import { MsgpackConnection } from './msgpack/connection.js';
import type { MsgpackEvents } from './msgpack/events.js';
import { ProtobufConnection } from './protobuf/connection.js';
import { sniffProtocol } from './sniff.js';

/** What is common to the protocols. */
interface Speaker {
  /** Whether no command is under way. */
  readonly isIdle: boolean;
  /** Whether no command has ever been carried out. */
  readonly isUnused: boolean;
  push(chunk: Buffer): void;
  close(): void;
  /** Ends the connection as soon as that costs no event. */
  drain(): void;
  /** Ends the connection if that costs no event now, and Kong would not be sent elsewhere otherwise. */
  leave(): void;
}

/** A connection, from its first byte on: finds out what it speaks, and closes it when that turns out not to be so. */
export class Connection {
  private readonly socket: Socket;
  private readonly commands: Commands;
  private readonly events: MsgpackEvents;
  private readonly open: Set<Socket>;
  private speaker: Speaker | undefined;
  private first: Buffer | undefined;

  /** @param open loses the socket when it is closed */
  constructor(socket: Socket, commands: Commands, events: MsgpackEvents, open: Set<Socket>) {
    this.socket = socket;
    this.commands = commands;
    this.events = events;
    this.open = open;
    (socket as OwnedSocket)[OWNER] = this;
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  receive(chunk: Buffer): void {
    try {
      const speaker = this.speaker ?? this.identify(chunk);
      if (speaker === undefined) return;
      const first = this.first;
      this.first = undefined;
      speaker.push(first === undefined ? chunk : Buffer.concat([first, chunk]));
    } catch (error) {
      this.reject(error);
    }
  }

  failed(error: Error): void {
    this.commands.log.debug(`connection: ${describeError(error)}`);
  }

  closed(): void {
    this.open.delete(this.socket);
    this.speaker?.close();
  }

  drain(): void {
    if (this.speaker === undefined) this.socket.end();
    else this.speaker.drain();
  }

  leave(): void {
    this.speaker?.leave();
  }

  /** Whether nothing was asked yet, or not completely. */
  get isUnused(): boolean {
    return this.speaker?.isUnused ?? true;
  }

  /** Whether its end costs no event. */
  get isIdle(): boolean {
    return this.speaker?.isIdle ?? true;
  }

  get isClosing(): boolean {
    return this.socket.writableEnded || this.socket.destroyed;
  }

  /** Ends an idle connection, and reads on for a while: what is sent at this very moment must not meet a reset. */
  end(readMs: number): void {
    this.socket.end();
    setTimeout(() => this.socket.destroy(), readMs).unref();
  }

  private identify(chunk: Buffer): Speaker | undefined {
    const bytes = this.first === undefined ? chunk : Buffer.concat([this.first, chunk]);
    const protocol = sniffProtocol(bytes);
    if (protocol === undefined) this.first = Buffer.from(bytes);
    else if (protocol === 'protobuf') this.speaker = new ProtobufConnection(this.socket, this.commands);
    else this.speaker = new MsgpackConnection(this.socket, this.commands, this.events);
    return this.speaker;
  }

  /** Bytes that mean nothing end this connection, and only this one, with one line in the log. */
  private reject(error: unknown): void {
    const reason = error instanceof ProtocolError ? error.message : describeError(error);
    this.commands.log.warn(`connection closed: ${reason}`);
    this.socket.destroy();
  }
}

/** Where a socket has its connection: looking it up in a map costs more, and garbage collection far more. */
const OWNER = Symbol('connection');
type OwnedSocket = Socket & { [OWNER]?: Connection };

// The listeners are shared by all connections: a rejected request costs one, so making one has to be cheap.

/** The connection of a socket that one was made of. */
export function connectionOf(socket: Socket): Connection | undefined {
  return (socket as OwnedSocket)[OWNER];
}

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[OWNER]?.receive(chunk);
}

/** Kong closes both ways at once: nobody is there for a farewell of ours, and not sending one saves a system call. */
function onEnd(this: Socket): void {
  this.destroy();
}

function onError(this: OwnedSocket, error: Error): void {
  this[OWNER]?.failed(error);
}

function onClose(this: OwnedSocket): void {
  this[OWNER]?.closed();
}
