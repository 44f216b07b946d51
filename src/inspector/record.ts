/**
 * What happened to one request, as the local gateway saw it: the one source of the inspector's page, of the test kit's
 * `events` and of what `dev -v` prints. Everything in it is a copy; nothing is masked.
 *
 * Times named `…At` are milliseconds since the exchange began, with fractions.
 */
export interface ExchangeRecord {
  /** As in `X-Kong-Request-Id`. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** `running` until the client has its response (or has gone), `answered` until the log phase is over. */
  state: 'running' | 'answered' | 'ended';
  /** When the client had its response, or had gone. */
  answeredAt: number | undefined;
  /** When the log phase was over. */
  endedAt: number | undefined;
  readonly client: RecordedClient;
  /** What the client sent. */
  readonly request: RecordedRequest;
  route: RecordedEntity | undefined;
  service: RecordedEntity | undefined;
  /** In the order in which they began. */
  readonly phases: RecordedPhase[];
  /** One for each event of a plugin, in the order in which they began. */
  readonly runs: PluginRun[];
  /** What went to the upstream; undefined: nothing did. */
  upstreamRequest: RecordedUpstreamRequest | undefined;
  upstreamResponse: RecordedResponse | undefined;
  /** What the client got; undefined: it had gone before, or the connection was cut. */
  response: RecordedResponse | undefined;
  /** Lines of the error log about this request, in order. */
  readonly log: RecordedLogLine[];
}

export interface RecordedClient {
  readonly ip: string;
  readonly port: number;
}

export interface RecordedEntity {
  readonly id: string;
  readonly name: string | undefined;
}

/** Header lines in order, as spelled; one char per byte. */
export type RecordedHeaders = readonly (readonly [name: string, value: string])[];

/** A body, or its beginning. */
export interface RecordedBody {
  /** How long it is, or was announced to be. */
  bytes: number;
  /** Its first bytes, up to the recorder's limit (64 KiB by default); none where nobody read it. */
  content: Buffer;
  /** Whether `content` is all of it. */
  complete: boolean;
}

/** What requests and responses have in common. */
export type RecordedMessage = RecordedRequest | RecordedResponse;

export interface RecordedRequest {
  readonly method: string;
  /** As on the request line, with the query. */
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: RecordedHeaders;
  readonly body: RecordedBody;
}

export interface RecordedUpstreamRequest extends RecordedRequest {
  /** `scheme://host:port` that it was sent to. */
  readonly url: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly sentAt: number;
}

export interface RecordedResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: RecordedHeaders;
  readonly body: RecordedBody;
  /** When its head came or left. */
  readonly headAt: number;
}

export interface RecordedPhase {
  /** The local gateway has `rewrite`, `access`, `upstream`, `response` and `log`. */
  readonly name: 'certificate' | 'preread' | 'rewrite' | 'access' | 'upstream' | 'response' | 'log';
  readonly startedAt: number;
  endedAt: number | undefined;
}

/**
 * How an event of a plugin ended.
 *
 * - `passed`: the handler returned and changed nothing that the upstream or the client sees.
 * - `changed`: it returned and had changed something of the request or the response.
 * - `exited`: it ended the request with a response of its own.
 * - `threw`: the handler threw; the server answered with 500 (in `log`: with nothing).
 * - `deadline`: the handler took too long; likewise.
 * - `retried`: the server did not know the instance; the event runs again, in the run that follows.
 * - `failed`: the event failed between gateway and server: no server, a connection that broke, a call that Kong refuses.
 * - `skipped`: the same, where Kong goes on without the plugin (`MsgPack:1`).
 * - `running`: it has not ended yet.
 */
export type RunOutcome =
  | 'running'
  | 'passed'
  | 'changed'
  | 'exited'
  | 'threw'
  | 'deadline'
  | 'retried'
  | 'failed'
  | 'skipped';

/** One event: a phase of a plugin, run for this request. */
export interface PluginRun {
  readonly plugin: string;
  readonly phase: RecordedPhase['name'];
  /** The id of the plugin's entity in the configuration. */
  readonly entityId: string | undefined;
  /** The id that the plugin server gave the instance; undefined for plugins that run in the gateway. */
  instanceId: number | undefined;
  /** The configuration with its defaults, without Kong's own `__…` keys. */
  readonly config: Readonly<Record<string, unknown>>;
  outcome: RunOutcome;
  readonly startedAt: number;
  endedAt: number | undefined;
  readonly calls: PdkCall[];
  error: RecordedError | undefined;
}

/**
 * A value of Kong's. Strings are text where their bytes are UTF-8, else Buffers. A table is a list or an object; nil is
 * undefined.
 */
export type RecordedValue =
  | undefined
  | boolean
  | number
  | string
  | Buffer
  | readonly RecordedValue[]
  | { readonly [key: string]: RecordedValue };

/** One function of the PDK, called by a plugin. */
export interface PdkCall {
  /** As on the wire: `kong.request.get_header`. */
  readonly method: string;
  readonly args: readonly RecordedValue[];
  /** undefined where the function answers nothing, nil, or has not answered. */
  answer: RecordedValue;
  /** Why Kong refused it. */
  error: string | undefined;
  readonly startedAt: number;
  endedAt: number | undefined;
  /**
   * Calls of a run with the same number arrived in one read, so they left the plugin server in one write; counted
   * from 1. Undefined where plugins run in the gateway.
   */
  readonly write: number | undefined;
}

export interface RecordedError {
  readonly message: string;
  /** As Node prints it, where the server's log could be read along. */
  stack: string | undefined;
  /** Where the first frame outside of node and node_modules stands; undefined where the stack is. */
  file: string | undefined;
  line: number | undefined;
  column: number | undefined;
}

export interface RecordedLogLine {
  readonly at: number;
  readonly level: 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert';
  /** undefined: the gateway itself. */
  readonly plugin: string | undefined;
  readonly phase: string | undefined;
  /** What was said, without what Kong writes around it. */
  readonly text: string;
}
