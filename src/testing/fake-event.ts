import { LuaError, type LuaValue, type PdkHost, ResponseExit } from '../gateway/plugin-port.js';
import { decodeArguments, encodeResult } from '../gateway/rpc/protobuf-values.js';
import { COMPOSED_PROTOBUF, type Composed, composedExit } from '../pdk/composed.js';
import { PdkError } from '../pdk/errors.js';
import type { PdkMethod } from '../pdk/methods.js';
import { PROTOBUF_METHODS, type ProtobufMethod } from '../protocol/protobuf/methods.js';
import { Writer } from '../protocol/protobuf/writer.js';
import type { Instance } from '../server/instances/instances.js';
import { DONE, type EventHost, PluginEvent } from '../server/plugin-event.js';
import { notCarried, PROTOBUF_CALLS, type ProtobufCall } from '../server/protobuf/pdk-calls.js';

/**
 * An event whose calls go to the gateway's side of the PDK in this process. Arguments and answers pass through the
 * codec of ProtoBuf:1, so that they are what a plugin gets from Kong.
 */
export class FakeEvent extends PluginEvent {
  /** The first call that Kong refused: it would have answered with 500. */
  failure: PdkError | undefined;
  readonly #pdk: PdkHost;
  #underWay = 0;

  constructor(instance: Instance, phase: string, host: EventHost, pdk: PdkHost) {
    super(instance, phase, host);
    this.#pdk = pdk;
  }

  protected get waiting(): boolean {
    return this.#underWay > 0;
  }

  /** Whether an answer is still to come. */
  get isWaiting(): boolean {
    return this.waiting;
  }

  protected composed(method: PdkMethod): Composed | undefined {
    return COMPOSED_PROTOBUF[method.index];
  }

  protected override composedExit(method: PdkMethod, args: readonly unknown[]): Composed | undefined {
    return composedExit(method, args);
  }

  protected send(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    // Kong has given the request up by then.
    if (this.failure !== undefined) throw this.failure;
    const call = PROTOBUF_CALLS[method.index];
    if (call === undefined) throw notCarried(method);
    if (method.kind !== 'void') return this.#perform(method, call, args);
    // At once, so that a refusal is thrown where the call stands, which nobody needs to await.
    try {
      this.#pdk.call(method.wire, this.#arguments(method, call, args));
    } catch (error) {
      throw this.#refused(method, error);
    }
    return DONE;
  }

  protected sendExit(method: PdkMethod, args: readonly unknown[]): void {
    const call = PROTOBUF_CALLS[method.index];
    if (call === undefined) return;
    try {
      this.#pdk.call(method.wire, this.#arguments(method, call, args));
    } catch (error) {
      if (!(error instanceof ResponseExit)) throw this.#refused(method, error);
    }
  }

  protected override answerFailure(outcome: 'error' | 'deadline', what: string): void {
    try {
      super.answerFailure(outcome, what);
    } catch (error) {
      // In a phase without exits Kong refuses this one, too. What is told is what came first.
      if (error !== this.failure) throw error;
      this.failure = undefined;
    }
  }

  protected sendEnd(): void {}

  protected release(): void {}

  async #perform(method: PdkMethod, call: ProtobufCall, args: readonly unknown[]): Promise<unknown> {
    this.#underWay += 1;
    try {
      const result = await this.#pdk.call(method.wire, this.#arguments(method, call, args));
      return await call.read(encodeResult(PROTOBUF_METHODS.get(method.wire) as ProtobufMethod, result));
    } catch (error) {
      throw this.#refused(method, error);
    } finally {
      this.#underWay -= 1;
    }
  }

  #arguments(method: PdkMethod, call: ProtobufCall, args: readonly unknown[]): LuaValue[] {
    const writer = new Writer();
    call.write(writer, args);
    return decodeArguments(PROTOBUF_METHODS.get(method.wire) as ProtobufMethod, writer.take());
  }

  /** What Kong refuses ends the request with 500; the plugin only sees that no answer comes. */
  #refused(method: PdkMethod, error: unknown): unknown {
    if (!(error instanceof LuaError)) return error;
    this.failure = new PdkError('PDK_NO_ANSWER', method.wire, error.message, { cause: error });
    return this.failure;
  }
}
