import type { Phase } from '../plugin/definition.js';
import type { LogLevel, LogSource } from './log.js';
import type { LuaValue, PdkHost, RunObserver } from './plugin-port.js';

export type { RunObserver } from './plugin-port.js';

/** A plugin with the configuration that it has for a request. */
export interface ObservedPlugin {
  readonly name: string;
  /** With Kong's own `__…` keys. */
  readonly config: Record<string, unknown>;
}

/** The parts of an exchange that take time. */
export type ObservedPhase = Phase | 'upstream';

/** A request as it goes on the wire. Headers are name, value, name, value…, one char per byte. */
export interface UpstreamRequestHead {
  readonly url: string;
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly headers: readonly string[];
}

/**
 * Somebody who watches one request on its way through the gateway. The gateway asks for one when the request begins
 * (`GatewayOptions.observe`); without one, each of these places costs a look at a field. Observers must not throw and
 * must not change what they are given.
 */
export interface ExchangeObserver {
  /** A line of the error log about this request. */
  logged(level: LogLevel, text: string, source: LogSource | undefined): void;
  /** The request has found its route; `exchange.match` and `exchange.service` are set. */
  routed(): void;
  phaseStarted(phase: ObservedPhase): void;
  phaseEnded(phase: ObservedPhase): void;
  /** An event of a plugin begins. */
  runStarted(plugin: ObservedPlugin, phase: ObservedPhase): RunObserver;
  /** A piece of the client's body, when somebody reads it. */
  clientChunk(chunk: Buffer): void;
  /** The connection to the upstream stands and the request goes out; again for a further attempt. */
  upstreamRequest(head: UpstreamRequestHead): void;
  upstreamRequestChunk(chunk: Buffer): void;
  upstreamResponse(status: number, reason: string, headers: readonly string[]): void;
  upstreamResponseChunk(chunk: Buffer): void;
  /** The head of the response to the client goes out. */
  response(status: number, reason: string, headers: readonly string[]): void;
  responseChunk(chunk: Buffer): void;
  /** The client has its response, or has gone. The log phase follows. */
  answered(): void;
  /** The log phase is over. */
  ended(): void;
}

/** The PDK's other side, watched. */
export class ObservedHost implements PdkHost {
  constructor(
    private readonly inner: PdkHost,
    private readonly run: RunObserver,
  ) {}

  call(method: string, args: readonly LuaValue[]): LuaValue | Promise<LuaValue> {
    const { run } = this;
    const number = run.called(method, args);
    try {
      const result = this.inner.call(method, args);
      if (!(result instanceof Promise)) {
        run.answered(number, result);
        return result;
      }
      return result.then(
        (value) => {
          run.answered(number, value);
          return value;
        },
        (error: unknown) => {
          run.failed(number, error);
          throw error;
        },
      );
    } catch (error) {
      run.failed(number, error);
      throw error;
    }
  }
}
