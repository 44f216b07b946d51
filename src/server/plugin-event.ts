import { placeOf } from '../own-code.js';
import { prepareArguments } from '../pdk/arguments.js';
import type { Bridge } from '../pdk/bridge.js';
import type { Composed } from '../pdk/composed.js';
import { HANDLER_EXIT, PdkError } from '../pdk/errors.js';
import { createKong } from '../pdk/kong.js';
import { methodNamed, type PdkMethod, PHASE_LETTERS, receivesBody } from '../pdk/methods.js';
import { STOCK_RESULTS } from '../pdk/stock-results.js';
import type { Phase, PluginConfig } from '../plugin/definition.js';
import { describeError, stackWithCauses } from './errors.js';
import type { Instance } from './instances/instances.js';
import type { Log } from './log.js';

/** How an event ended, for metrics. */
export type Outcome = 'done' | 'exit' | 'error' | 'deadline' | 'lost';

/** What an event needs of the process it runs in. */
export interface EventHost {
  readonly log: Log;
  /** Told when an event starts, so that it can be watched; the deadline is checked by the host. */
  started(event: PluginEvent): void;
  /** Told once, when the event is over. */
  ended(event: PluginEvent, outcome: Outcome): void;
}

/** What a PDK call or an error meets when its event is over. */
type Over = 'exit' | 'deadline' | 'ended' | 'lost';

export const DONE: Promise<null> = Promise.resolve(null);

const EXIT = methodNamed('kong.response.exit') as PdkMethod;
const LOG_ERR = methodNamed('kong.log.err') as PdkMethod;

const FAILURE_BODY = '{"message":"An unexpected error occurred"}';
const FAILURE_HEADERS = { 'Content-Type': 'application/json; charset=utf-8' };

/**
 * One event: a phase of a plugin, run for one request. Protocols extend it with the way their calls travel.
 *
 * It fails closed: whatever the handler throws before the response phase is over becomes a response with status 500,
 * and an event that was told to exit says nothing more.
 */
export abstract class PluginEvent implements Bridge {
  readonly instance: Instance;
  readonly phase: string;
  protected readonly host: EventHost;
  /** Set by the host; what it means is the host's. */
  startedAt = 0;
  /** Likewise, in milliseconds of a steady clock; only where times are measured. */
  startedTick = 0;
  /** As {@link PdkMethod.phases} names the phase. */
  private readonly phaseLetter: string;
  private over: Over | undefined;
  private receiving = 0;
  private handlerReturned = false;
  private closed = false;

  constructor(instance: Instance, phase: string, host: EventHost) {
    this.instance = instance;
    this.phase = phase;
    this.phaseLetter = PHASE_LETTERS[phase as Phase] ?? '';
    this.host = host;
  }

  get config(): PluginConfig {
    return this.instance.config;
  }

  get phases(): readonly Phase[] {
    return this.instance.plugin.phases;
  }

  /** Sends a call that every protocol passes through here; see {@link Bridge.call}. */
  call(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    const answer = this.perform(method, args);
    if (this.instance.plugin.compat === undefined) return answer;
    const convert = STOCK_RESULTS[method.index];
    return convert === undefined ? answer : answer.then(convert as (value: unknown) => unknown);
  }

  private perform(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    if (this.over !== undefined) throw this.refusal(method);
    const { phases } = method;
    if (phases !== '' && method.kind !== 'exit' && !phases.includes(this.phaseLetter)) {
      // As in Kong the event has failed then, even where the handler goes on.
      const error = wrongPhase(method, this.phase);
      this.failed(error);
      throw error;
    }
    const prepared = prepareArguments(method, args);
    if (method.kind === 'exit') this.leave(method, prepared);
    const composed = this.composed(method);
    if (composed === undefined)
      return receivesBody(method) ? this.receive(method, prepared) : this.send(method, prepared);
    const bridge =
      this.instance.plugin.compat === undefined ? this : this.bridgeTo((m, a) => this.perform(m, a));
    return composed(createKong(bridge), prepared, bridge);
  }

  /** Runs the handler. Never throws: what becomes of an error is decided here. */
  async run(): Promise<void> {
    this.host.started(this);
    const { object, refusal } = this.instance;
    if (refusal !== undefined) {
      this.answerFailure('error', `instance not started: ${refusal}`);
      return;
    }
    try {
      const handler = object[this.phase as Phase];
      if (typeof handler !== 'function') throw new TypeError(`the plugin has no ${this.phase} handler`);
      const returned = handler.call(object, createKong(this) as never);
      if (isThenable(returned)) await returned;
    } catch (error) {
      this.failed(error);
      return;
    }
    this.handlerReturned = true;
    this.finishIfIdle();
  }

  /** Whether Kong is receiving the client's body: that time is not the plugin's. */
  get waitsForClient(): boolean {
    return this.receiving > 0;
  }

  /** The event has lasted too long: the client gets its answer, and the handler is told at its next call. */
  expire(afterMs: number): void {
    if (this.over !== undefined) return;
    this.host.log.error(`${this.name}: no end after ${afterMs} ms`);
    this.answerFailure('deadline', `${this.name} took longer than ${afterMs} ms`);
  }

  /** Kong has closed the connection or will not come back: nothing can be said any more. */
  lose(): void {
    this.end(this.over ?? 'lost', 'lost');
  }

  /** True while a call with a result is under way. */
  protected abstract get waiting(): boolean;

  /** Sends a call other than an exit. Throws PdkError for what cannot be sent. */
  protected abstract send(method: PdkMethod, args: readonly unknown[]): Promise<unknown>;

  /** How a function is built from others where it is not sent as it is. */
  protected abstract composed(method: PdkMethod): Composed | undefined;

  /** The same for an exit, which may depend on what it is to send. */
  protected composedExit(method: PdkMethod, _args: readonly unknown[]): Composed | undefined {
    return this.composed(method);
  }

  /** Sends an exit; nothing follows it. */
  protected abstract sendExit(method: PdkMethod, args: readonly unknown[]): void;

  /** Tells Kong that the handler is done. */
  protected abstract sendEnd(): void;

  /** Lets go of the calls under way: rejects them, so that `finally` blocks run. */
  protected abstract release(reason: (method: PdkMethod) => Error): void;

  /** To be called when the last call under way has been answered. */
  protected idle(): void {
    // Not before everything that hangs on the answer has run.
    if (this.handlerReturned && this.over === undefined) setImmediate(finishEvent, this);
  }

  /**
   * A handler may return before the calls it made have been answered (`kong.request.getHeader(…).then(…)` without an
   * await). What it does with the answer still counts, an exit above all, so the end waits for it.
   */
  finishIfIdle(): void {
    if (this.over !== undefined || this.waiting) return;
    this.sendEnd();
    this.end('ended', 'done');
  }

  protected get name(): string {
    return `${this.instance.plugin.name} #${this.instance.id}: ${this.phase}`;
  }

  private async receive(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    this.receiving += 1;
    try {
      return await this.send(method, args);
    } finally {
      this.receiving -= 1;
    }
  }

  private leave(method: PdkMethod, args: readonly unknown[]): never {
    const composed = this.composedExit(method, args);
    if (composed === undefined) {
      this.sendExit(method, args);
      this.end('exit', 'exit');
    } else {
      // The handler ends here and now, awaited or not; only the answer takes one more round trip.
      this.over = 'exit';
      void this.leaveComposed(composed, method, args);
    }
    throw HANDLER_EXIT;
  }

  private async leaveComposed(
    composed: Composed,
    method: PdkMethod,
    args: readonly unknown[],
  ): Promise<void> {
    const inner = this.bridgeTo((called, callArgs) => {
      if (called !== EXIT) return this.send(called, callArgs);
      this.sendExit(EXIT, callArgs);
      throw HANDLER_EXIT;
    });
    try {
      await composed(createKong(inner), args, inner);
    } catch (error) {
      if (error !== HANDLER_EXIT) {
        this.host.log.error(`${this.name}: ${method.wire} failed: ${describeError(error)}`);
        this.sendExit(EXIT, [500, FAILURE_BODY, FAILURE_HEADERS]);
      }
    }
    this.end('exit', 'exit');
  }

  /** What composed functions are given, whose calls are not the plugin's. */
  private bridgeTo(call: Bridge['call']): Bridge {
    return { config: this.config, phases: this.phases, call };
  }

  private failed(error: unknown): void {
    if (this.over !== undefined) {
      if (error !== HANDLER_EXIT && this.host.log.enabled('debug')) {
        this.host.log.debug(`${this.name}: after the event was over (${this.over}): ${describeError(error)}`);
      }
      return;
    }
    const described = describeError(error);
    const what = `${this.name} threw: ${described}${placeOf(error)}`;
    const stack = stackWithCauses(error);
    this.host.log.error(stack === undefined ? what : `${this.name} threw: ${stack}`);
    this.answerFailure('error', what);
  }

  protected answerFailure(outcome: 'error' | 'deadline', what: string): void {
    try {
      void this.send(LOG_ERR, [what]);
      if (this.phase === 'log') this.sendEnd();
      else this.sendExit(EXIT, [500, FAILURE_BODY, FAILURE_HEADERS]);
    } finally {
      this.end(outcome === 'deadline' ? 'deadline' : 'ended', outcome);
    }
  }

  private end(over: Over, outcome: Outcome): void {
    if (this.closed) return;
    this.closed = true;
    this.over = over;
    this.release((method) => this.refusal(method));
    this.host.ended(this, outcome);
  }

  private refusal(method: PdkMethod): Error {
    switch (this.over) {
      case 'exit':
        return HANDLER_EXIT;
      case 'deadline':
        return new PdkError(
          'EVENT_DEADLINE',
          method.wire,
          'the event took too long and was answered with 500',
        );
      case 'lost':
        return new PdkError(
          'PDK_NO_ANSWER',
          method.wire,
          'Kong closed the connection: it refused a call (its error log says why) or gave the request up',
        );
      default:
        return new PdkError(
          'EVENT_ENDED',
          method.wire,
          'the event is over; the kong object is good for one event',
        );
    }
  }
}

function wrongPhase(method: PdkMethod, phase: string): PdkError {
  const names = Object.entries(PHASE_LETTERS).filter(([, letter]) => method.phases.includes(letter));
  const list = names.map(([name]) => name).join(', ');
  return new PdkError('PDK_WRONG_PHASE', method.wire, `cannot be called in ${phase}, only in ${list}`);
}

function finishEvent(event: PluginEvent): void {
  event.finishIfIdle();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
