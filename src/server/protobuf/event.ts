import { COMPOSED_PROTOBUF, type Composed, composedExit } from '../../pdk/composed.js';
import type { PdkMethod } from '../../pdk/methods.js';
import type { Instance } from '../instances/instances.js';
import { DONE, type EventHost, PluginEvent } from '../plugin-event.js';
import { notCarried, PROTOBUF_CALLS, type ProtobufCall } from './pdk-calls.js';

/** The connection that an event came on, as far as the event uses it. */
export interface EventConnection {
  sendCall(call: ProtobufCall, args: readonly unknown[]): void;
  /** The answer to the last call carries nothing. */
  expectNothing(): void;
  expectAnswer(event: ProtobufEvent, method: PdkMethod, call: ProtobufCall): Promise<unknown>;
  sendExit(call: ProtobufCall, args: readonly unknown[]): void;
  sendEnd(sequence: number): void;
  /** Rejects what the event still waits for. */
  releaseAnswers(event: ProtobufEvent, reason: (method: PdkMethod) => Error): void;
}

/** An event whose calls travel over the connection that it came on. */
export class ProtobufEvent extends PluginEvent {
  readonly sequence: number;
  private readonly connection: EventConnection;
  private underWay = 0;

  constructor(
    connection: EventConnection,
    sequence: number,
    instance: Instance,
    phase: string,
    host: EventHost,
  ) {
    super(instance, phase, host);
    this.connection = connection;
    this.sequence = sequence;
  }

  /** An answer with a result has come. */
  answered(): void {
    if (--this.underWay === 0) this.idle();
  }

  protected get waiting(): boolean {
    return this.underWay > 0;
  }

  protected composed(method: PdkMethod): Composed | undefined {
    return COMPOSED_PROTOBUF[method.index];
  }

  /** Kong is told what an object becomes, which depends on the request. */
  protected override composedExit(method: PdkMethod, args: readonly unknown[]): Composed | undefined {
    return composedExit(method, args);
  }

  protected send(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    const call = PROTOBUF_CALLS[method.index];
    if (call === undefined) throw notCarried(method);
    if (method.kind === 'void') {
      this.connection.sendCall(call, args);
      this.connection.expectNothing();
      return DONE;
    }
    this.connection.sendCall(call, args);
    this.underWay++;
    return this.connection.expectAnswer(this, method, call);
  }

  protected sendExit(method: PdkMethod, args: readonly unknown[]): void {
    const call = PROTOBUF_CALLS[method.index];
    if (call !== undefined) this.connection.sendExit(call, args);
  }

  protected sendEnd(): void {
    this.connection.sendEnd(this.sequence);
  }

  protected release(reason: (method: PdkMethod) => Error): void {
    this.connection.releaseAnswers(this, reason);
  }
}
