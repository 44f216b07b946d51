import { ServerResponse } from 'node:http';
import { targetOf } from '../gateway/handle.js';
import { encodeJson, luaFromJson } from '../gateway/host/body.js';
import { HostContext } from '../gateway/host/context.js';
import { EventHost } from '../gateway/host/pdk-host.js';
import { upstreamHeaders } from '../gateway/http/upstream-request.js';
import { ObservedHost } from '../gateway/observer.js';
import type { LuaTable } from '../gateway/plugin-port.js';
import { adoptUpstreamHead, sendExit, sendUpstreamBuffer } from '../gateway/respond.js';
import type { PdkCall, RecordedLogLine } from '../inspector/record.js';
import { headerPairs } from '../inspector/values.js';
import { HandlerExit } from '../pdk/errors.js';
import { createKong } from '../pdk/kong.js';
import type { Consumer, Credential, Kong } from '../pdk/types.js';
import type { Phase } from '../plugin/definition.js';
import { TestKitError } from './errors.js';
import { FakeEvent } from './fake-event.js';
import { type FakeExchangeOptions, fakeExchange } from './fake-exchange.js';
import { TestMessage } from './message.js';
import { TestUpstreamRequest } from './upstream.js';

/** What Kong knows when the handler is called; everything may be left out. */
export interface FakeKongOptions extends FakeExchangeOptions {
  /** Default access, or response where there is a `response`. */
  readonly phase?: Phase;
  /** The name that log lines carry. Default "plugin". */
  readonly plugin?: string;
  /** What is in `kong.ctx.shared`. */
  readonly ctx?: Readonly<Record<string, unknown>>;
  /** What `kong.nginx.getCtx` finds. */
  readonly nginx?: Readonly<Record<string, unknown>>;
  /** Whom an authentication plugin has found. */
  readonly consumer?: Partial<Consumer>;
  readonly credential?: Partial<Credential>;
}

/** A response as the client would get it. */
export class FakeResponse extends TestMessage {
  constructor(
    readonly status: number,
    headerLines: TestMessage['headerLines'],
    bytes: Buffer,
  ) {
    super(headerLines, bytes);
  }
}

/** What came of the handler's call. */
export interface FakeOutcome {
  /** Every PDK call in order, with arguments and answer. */
  readonly calls: readonly PdkCall[];
  /** The response of `kong.response.exit` or `.error`; undefined where the handler ended without. */
  readonly exit: FakeResponse | undefined;
  /** What the upstream would get next; undefined after an exit, and in phases after it has answered. */
  readonly upstream: TestUpstreamRequest | undefined;
  /** Where the upstream is; undefined where Kong does not know one yet. */
  readonly target: { readonly host: string; readonly port: number } | undefined;
  /** What the client would get, if no other plugin were there. */
  readonly client: FakeResponse;
  readonly log: readonly RecordedLogLine[];
  /** `kong.ctx.shared` as the handler left it. */
  readonly ctx: Readonly<Record<string, unknown>>;
  /** Whom `kong.client.authenticate` named, or the options did. */
  readonly consumer: unknown;
  readonly credential: unknown;
}

export interface FakeKong {
  /** What a handler is called with. */
  readonly kong: Kong;
  /**
   * Calls a handler and tells what came of it. An exit is no error here; whatever else the handler throws is thrown.
   *
   * @throws PdkError also where Kong refused a call, which means a 500
   */
  run(handler: (kong: Kong) => unknown): Promise<FakeOutcome>;
  /** What has come of the calls so far, for those who call the handler themselves. Ends the event. */
  outcome(): FakeOutcome;
}

/**
 * The `kong` object for one call of a handler, without sockets. Behind it is the local gateway's own side of the PDK,
 * and arguments and answers pass through the protocol's codec: functions are checked and answer as they do there.
 *
 * ```ts
 * const plugin = new Plugin({ header: 'x-key' });
 * const { exit, upstream } = await fakeKong({ request: { headers: { 'x-key': 'k' } } }).run((kong) => plugin.access(kong));
 * ```
 *
 * @throws TestKitError `TEST_OPTIONS` or `TEST_CONFIG` where the options cannot be
 */
export function fakeKong(options: FakeKongOptions = {}): FakeKong {
  const phase = options.phase ?? (options.response === undefined ? 'access' : 'response');
  const { exchange, node, record, observer, answer, planned } = fakeExchange(
    phase,
    options.plugin ?? 'plugin',
    options,
  );
  Object.assign(exchange.shared, luaFromJson(options.ctx ?? {}));
  Object.assign(exchange.nginxContext, luaFromJson(options.nginx ?? {}));
  exchange.identity = {
    consumer: luaFromJson(options.consumer) as LuaTable | undefined,
    credential: luaFromJson(options.credential) as LuaTable | undefined,
  };
  const answered = phase === 'response' || phase === 'log';
  const response = new ServerResponse(answer.request);
  if (answered) {
    exchange.timing.upstreamStarted = exchange.timing.started;
    exchange.timing.upstreamAnswered = exchange.timing.started;
    adoptUpstreamHead(exchange, answer.head);
    exchange.upstreamBody = answer.body;
  }
  if (phase === 'log') sendUpstreamBuffer(exchange, response, answer.head.statusMessage);

  const run = observer.runStarted(planned, phase);
  const host = new ObservedHost(new EventHost(new HostContext(exchange, phase, planned.name, node)), run);
  let resolveEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const instance = {
    id: 1,
    plugin: { ...planned.kind, version: '0.0.0', schema: [], Plugin: Object, modifiedAt: 0, loadedAt: 0 },
    config: planned.config,
    object: {},
    startedAt: exchange.timing.started,
    triedAt: exchange.timing.started,
    lastUsedAt: exchange.timing.started,
  };
  const log = (text: string) => node.log('error', text);
  const nothing = () => undefined;
  const event = new FakeEvent(
    instance as never,
    phase,
    {
      log: {
        error: log,
        warn: nothing,
        notice: nothing,
        info: nothing,
        debug: nothing,
        enabled: () => false,
      },
      started: nothing,
      ended: () => resolveEnded(),
    },
    host,
  );
  const kong = createKong(event);

  let outcome: FakeOutcome | undefined;
  const finish = (): FakeOutcome => {
    event.finishIfIdle();
    const exited = exchange.exit !== undefined;
    const sent = exited || answered ? undefined : upstreamRequest();
    if (exited) {
      sendExit(exchange, response);
    } else if (phase !== 'log') {
      if (!answered) {
        exchange.timing.upstreamStarted = exchange.timing.started;
        adoptUpstreamHead(exchange, answer.head);
        exchange.upstreamBody = answer.body;
      }
      sendUpstreamBuffer(exchange, response, answer.head.statusMessage);
    }
    run.ended(exited ? 'exit' : 'done');
    const got = record.response;
    const client = new FakeResponse(
      got?.status ?? 0,
      got?.headers ?? [],
      got?.body.content ?? Buffer.alloc(0),
    );
    return {
      calls: record.runs[0]?.calls ?? [],
      exit: exited ? client : undefined,
      upstream: sent,
      target: exchange.upstream && { host: exchange.upstream.host, port: exchange.upstream.port },
      client,
      log: record.log,
      ctx: toJson(exchange.shared) as Record<string, unknown>,
      consumer: toJson(exchange.identity.consumer),
      credential: toJson(exchange.identity.credential),
    };
  };
  const upstreamRequest = (): TestUpstreamRequest | undefined => {
    const target = exchange.upstream ?? targetOf(exchange);
    if (target === undefined || phase === 'certificate' || phase === 'preread') return undefined;
    const stored = exchange.body.stored;
    const body = stored !== undefined && 'content' in stored ? stored.content : answer.requestBody;
    const query = exchange.query ? `?${exchange.query}` : '';
    const headers = headerPairs(upstreamHeaders(exchange, target));
    return new TestUpstreamRequest(exchange.method, target.path + query, headers, body);
  };

  return {
    kong,
    run: async (handler) => {
      if (outcome !== undefined) throw new TestKitError('TEST_OPTIONS', 'a fakeKong is good for one call');
      try {
        await handler(kong);
        while (event.isWaiting) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        if (!(error instanceof HandlerExit)) throw error;
        // `kong.response.error` asks Kong for what it needs first.
        await ended;
      }
      if (event.failure !== undefined) throw event.failure;
      outcome = finish();
      return outcome;
    },
    outcome: () => {
      outcome ??= finish();
      return outcome;
    },
  };
}

/** A Lua value as JavaScript's, its strings as text. */
function toJson(value: LuaTable | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(Buffer.from(encodeJson(value), 'latin1').toString());
}
