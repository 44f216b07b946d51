import { PluginServerError } from '../errors.js';
import type { Phase } from '../plugin/definition.js';

/**
 * A Lua value. Strings are byte strings (one char per byte, 'latin1'); nil is `undefined`; a table is an array
 * or a plain object, the empty table is either. Inside arrays and objects `undefined` is an absent entry.
 */
export type LuaValue = undefined | boolean | number | string | LuaValue[] | LuaTable;
export type LuaTable = { [key: string]: LuaValue };

/**
 * Kong's side of the PDK for one event.
 *
 * Arguments are positional, as a Lua caller would pass them, after the protocol's own conversions (over ProtoBuf:
 * KV is `[k, v]`, ExitArgs `[status, body, headers]`, Target `[host, port]`, ConsumerSpec `[id, by_username]`,
 * AuthenticateArgs `[consumer, credential]`, a ListValue is spread; inside a Value `false` has become nil and
 * null the text "NULL_VALUE"; an unset Int is 0, an unset body ""). Results are those of the Lua function, but:
 * `kong.request.get_raw_body` answers `{ content }` or `{ body_filepath }`, and
 * `kong.request.get_uri_captures` `{ unnamed: { '0': whole match, '1': …, … }, named: { name: … } }` (both empty
 * tables on a prefix route; ProtoBuf leaves entry 0 out, MsgPack sends the keys as integers).
 */
export interface PdkHost {
  /**
   * Performs a PDK function, named as on the wire (`kong.request.get_header`).
   *
   * @throws {LuaError} the event fails: the client gets 500 and no reply is due
   * @throws {ResponseExit} the response is decided (`kong.response.exit`/`error`): the event ends without a reply
   * @throws {UnknownPdkMethod} there is no such function: 500 over ProtoBuf, stepped over without data by MsgPack
   */
  call(method: string, args: readonly LuaValue[]): LuaValue | Promise<LuaValue>;
}

/** A PDK call raised a Lua error in Kong. `message` is Lua's. */
export class LuaError extends PluginServerError {
  constructor(message: string) {
    super('LUA_ERROR', message);
  }
}

/** `kong.response.exit` or `.error` was called; the host holds the response. Not a failure. */
export class ResponseExit extends PluginServerError {
  constructor() {
    super('RESPONSE_EXIT', 'the plugin ended the request with a response');
  }
}

/** The PDK has no function of this name, or this gateway does not emulate it. */
export class UnknownPdkMethod extends PluginServerError {
  constructor(readonly method: string) {
    super('UNKNOWN_PDK_METHOD', `${method} is not a PDK function that the local gateway emulates`);
  }
}

/** An event failed in a way that Kong answers with 500. */
export class PluginEventError extends PluginServerError {
  constructor(message: string, options?: ErrorOptions) {
    super('PLUGIN_EVENT_FAILED', message, options);
  }
}

/** One plugin entity of the declarative config, as a plugin server gets it. */
export interface ConfiguredPlugin {
  /** Unique per entity; changes with every (re)load of the configuration, as Kong's `__key__` with `__seq__`. */
  readonly key: string;
  readonly name: string;
  /** What StartInstance carries as JSON: the config with defaults filled in, and Kong's `__…` keys. */
  readonly config: Record<string, unknown>;
}

export interface PluginEvent {
  readonly plugin: ConfiguredPlugin;
  readonly phase: Phase;
  readonly host: PdkHost;
  /** Who watches; the calls of the host are watched already. */
  readonly observer?: RunObserver;
  /**
   * Resolves when the request has been answered: until then Kong keeps the connection of an event that ended in a
   * response of its own or in a failure. Without it the connection is closed with the event.
   */
  readonly requestEnded?: Promise<unknown>;
}

/** How an event ended: the handler returned, the host threw {@link ResponseExit}, or Kong goes on without it. */
export type EventOutcome = 'done' | 'exit' | 'skipped';

/** What the socket half offers to the HTTP half. */
export interface PluginCaller {
  /**
   * Runs one phase of one plugin.
   *
   * @throws {PluginEventError} the event failed and Kong answers 500; where Kong fails open (MsgPack) the
   * caller resolves `skipped` instead
   */
  handleEvent(event: PluginEvent): Promise<EventOutcome>;
  /** Ends all connections. */
  close(): void;
}

/** Somebody who watches one event of one plugin. */
export interface RunObserver {
  /** The event goes to this instance of the plugin server's. */
  instance(id: number): void;
  /** The server refused the event; it starts anew with another instance. */
  retried(reason: string): void;
  /** The event failed and Kong goes on without it, as it does over MsgPack:1. */
  skipped(reason: string): void;
  /** The calls from here on arrived in one read, which stands for one write of the server's. */
  batch(): void;
  /** A PDK call begins. @returns what {@link answered} and {@link failed} name it by */
  called(method: string, args: readonly LuaValue[]): number;
  answered(call: number, result: LuaValue): void;
  failed(call: number, error: unknown): void;
  /** @param error what the event failed with: the request is answered with 500 */
  ended(outcome: 'done' | 'exit' | 'skipped' | 'failed', error?: unknown): void;
}
