import { inspectable, plainArgument } from '../../pdk/arguments.js';
import { COMPOSED_MSGPACK, type Composed } from '../../pdk/composed.js';
import { PdkError } from '../../pdk/errors.js';
import { loggable } from '../../pdk/loggable.js';
import type { PdkMethod } from '../../pdk/methods.js';
import type { Instance } from '../instances/instances.js';
import { DONE, type EventHost, PluginEvent } from '../plugin-event.js';
import { normaliseResult } from './pdk-results.js';

/** What an event answers to HandleEvent or a Step: a PDK call for Kong to perform, or the end. */
export type EventData = { Method: string; Args: readonly unknown[] } | 'ret';

interface Outgoing {
  readonly method: PdkMethod;
  readonly args: readonly unknown[];
  /** Absent for calls that nobody waits for. */
  readonly resolve?: (value: unknown) => void;
  readonly reject?: (error: unknown) => void;
}

const END = 'ret';

/**
 * An event over MsgPack:1. Kong asks for one thing at a time: each request of its is answered with the next call, and
 * comes back with that call's result, perhaps on another connection. Calls made in between wait in line.
 */
export class MsgpackEvent extends PluginEvent {
  readonly id: number;
  private readonly finished: (event: MsgpackEvent) => void;
  private readonly line: (Outgoing | typeof END)[] = [];
  private performing: Outgoing | undefined;
  private reply: ((data: EventData) => void) | undefined;
  private underWay = 0;

  /** @param finished called when the last answer has been given and Kong will not come back */
  constructor(
    id: number,
    instance: Instance,
    phase: string,
    host: EventHost,
    finished: (event: MsgpackEvent) => void,
  ) {
    super(instance, phase, host);
    this.id = id;
    this.finished = finished;
  }

  /** Starts the event; `reply` answers Kong's HandleEvent. */
  start(reply: (data: EventData) => void): void {
    this.reply = reply;
    void this.run();
  }

  /** Kong has performed the call it was given. False when it had none. */
  step(data: unknown, error: unknown, reply: (data: EventData) => void): boolean {
    const performed = this.performing;
    if (performed === undefined) return false;
    this.performing = undefined;
    this.reply = reply;
    this.settle(performed, data, error);
    this.advance();
    return true;
  }

  protected get waiting(): boolean {
    return this.underWay > 0;
  }

  protected composed(method: PdkMethod): Composed | undefined {
    return COMPOSED_MSGPACK[method.index];
  }

  protected send(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    const sent = method.wire.startsWith('kong.log') ? logged(method, args) : args;
    if (method.kind === 'void') {
      this.enqueue({ method, args: sent });
      return DONE;
    }
    this.underWay++;
    return new Promise((resolve, reject) => this.enqueue({ method, args: sent, resolve, reject }));
  }

  protected sendExit(method: PdkMethod, args: readonly unknown[]): void {
    this.enqueue({ method, args: args.map((arg, index) => plainArgument(method, index + 1, arg)) });
  }

  protected sendEnd(): void {
    this.enqueue(END);
  }

  protected release(reason: (method: PdkMethod) => Error): void {
    for (const call of this.performing === undefined ? this.line : [this.performing, ...this.line]) {
      if (call !== END) call.reject?.(reason(call.method));
    }
  }

  override lose(): void {
    super.lose();
    this.finished(this);
  }

  private settle(call: Outgoing, data: unknown, error: unknown): void {
    if (call.resolve === undefined) return;
    if (error === undefined) call.resolve(this.result(call.method.wire, data));
    else call.reject?.(new PdkError('PDK_FAILED', call.method.wire, String(error)));
    if (--this.underWay === 0) this.idle();
  }

  /** The stock server's captures have the whole match, which is not in ours. */
  private result(wire: string, data: unknown): unknown {
    const isAsked = this.instance.plugin.compat === 'stock' && wire === 'kong.request.get_uri_captures';
    return isAsked ? data : normaliseResult(wire, data);
  }

  private enqueue(call: Outgoing | typeof END): void {
    this.line.push(call);
    this.advance();
  }

  /** Hands the next call to Kong if it is asking. */
  private advance(): void {
    const { reply } = this;
    const next = this.line[0];
    if (reply === undefined || next === undefined) return;
    this.line.shift();
    this.reply = undefined;
    if (next === END) {
      this.finished(this);
      reply(END);
      return;
    }
    this.performing = next;
    // No Step ever follows an exit.
    if (next.method.kind === 'exit') this.finished(this);
    reply({ Method: next.method.wire, Args: next.args });
  }
}

/** Kong writes tables out itself for `inspect`, and values as they are for `set_serialize_value`. */
function logged(method: PdkMethod, args: readonly unknown[]): readonly unknown[] {
  const { wire } = method;
  if (wire === 'kong.log.set_serialize_value') return args;
  if (!wire.startsWith('kong.log.inspect')) return args.map(loggable);
  return args.map((arg) => inspectable(method, arg));
}
