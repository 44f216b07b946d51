import type { Exchange, Observe } from '../gateway/exchange.js';
import type { LogLevel, LogSource } from '../gateway/log.js';
import type {
  ExchangeObserver,
  ObservedPlugin,
  RunObserver,
  UpstreamRequestHead,
} from '../gateway/observer.js';
import { BodyCapture } from './body-capture.js';
import { recordedError, subject, thrownStack } from './failures.js';
import type { ExchangeRecord, PluginRun, RecordedPhase, RecordedResponse } from './record.js';
import { RunRecorder } from './run-recorder.js';
import { headerPairs } from './values.js';

/** How much of a body, and of a single text in an argument, is kept by default. */
const DEFAULT_LIMIT_BYTES = 64 * 1024;
/** Stacks and failures that wait for each other. The server's log and its answer come by different ways. */
const MAX_WAITING = 100;

/** Whoever wants to know what happens to records. */
export interface RecordListener {
  /** The head of a request has come. The record goes on changing. */
  readonly onStart?: (record: ExchangeRecord) => void;
  /** The client has its response; the log phase follows. */
  readonly onAnswer?: (record: ExchangeRecord) => void;
  /** Nothing more happens to the record, but that the stack of an error may arrive. */
  readonly onEnd?: (record: ExchangeRecord) => void;
  /** A stack has been put to a failure of this record. */
  readonly onStack?: (record: ExchangeRecord, run: PluginRun) => void;
}

export interface RecorderOptions extends RecordListener {
  /** How many bytes are kept of each body and text. Default 64 KiB. */
  readonly limitBytes?: number;
}

/**
 * Makes a record of each exchange of a gateway. It keeps none: whoever asks for them does.
 *
 * ```ts
 * const recorder = new Recorder({ onEnd: (record) => console.log(record.request.target, record.response?.status) });
 * const gateway = await createGateway({ …, observe: recorder.observe });
 * ```
 */
export class Recorder {
  readonly #limit: number;
  readonly #listeners = new Set<RecordListener>();
  readonly #stacks = new Waiting<string>();
  readonly #failures = new Waiting<{ record: ExchangeRecord; run: PluginRun }>();

  constructor(options: RecorderOptions = {}) {
    this.#limit = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
    this.#listeners.add(options);
  }

  /** Tells one more about every record. @returns what ends that */
  listen(listener: RecordListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells everybody of a record that was made elsewhere, as if it had just ended. */
  replay(record: ExchangeRecord): void {
    for (const listener of this.#listeners) listener.onStart?.(record);
    for (const listener of this.#listeners) listener.onAnswer?.(record);
    for (const listener of this.#listeners) listener.onEnd?.(record);
  }

  /** For `GatewayOptions.observe`. */
  readonly observe: Observe = (exchange) =>
    new ExchangeRecorder(exchange, this.#limit, this.#listeners, (record, run) => this.#failed(record, run));

  /**
   * A line of the plugin server's own log, its breaks kept. Where it tells what a handler threw, its stack becomes part
   * of the record.
   *
   * @returns whether it belongs to a failure that is or will be in a record
   */
  serverLogged(text: string): boolean {
    const thrown = thrownStack(text);
    if (thrown === undefined) return false;
    const failure = this.#failures.take(thrown.subject);
    if (failure === undefined) this.#stacks.add(thrown.subject, thrown.stack);
    else this.#join(failure.record, failure.run, thrown.stack);
    return true;
  }

  #failed(record: ExchangeRecord, run: PluginRun): void {
    const key = subject(run);
    const stack = this.#stacks.take(key);
    if (stack === undefined) this.#failures.add(key, { record, run });
    else this.#join(record, run, stack);
  }

  #join(record: ExchangeRecord, run: PluginRun, stack: string): void {
    run.error = recordedError(run.error?.message ?? '', stack);
    for (const listener of this.#listeners) listener.onStack?.(record, run);
  }
}

/** What has come and waits for its other half: the oldest of a key goes first, the oldest of all is given up. */
class Waiting<T> {
  readonly #items: { key: string; value: T }[] = [];

  add(key: string, value: T): void {
    this.#items.push({ key, value });
    if (this.#items.length > MAX_WAITING) this.#items.shift();
  }

  take(key: string): T | undefined {
    const index = this.#items.findIndex((item) => item.key === key);
    return index < 0 ? undefined : this.#items.splice(index, 1)[0]?.value;
  }
}

/** Writes the record of one exchange while it happens. */
class ExchangeRecorder implements ExchangeObserver {
  readonly #exchange: Exchange;
  readonly #listeners: Iterable<RecordListener>;
  readonly #limit: number;
  readonly #onFailure: (record: ExchangeRecord, run: PluginRun) => void;
  readonly #began = performance.now();
  readonly #record: ExchangeRecord;
  readonly #requestBody: BodyCapture;
  #upstreamRequestBody: BodyCapture | undefined;
  #upstreamResponseBody: BodyCapture | undefined;
  #responseBody: BodyCapture | undefined;

  constructor(
    exchange: Exchange,
    limit: number,
    listeners: Iterable<RecordListener>,
    onFailure: (record: ExchangeRecord, run: PluginRun) => void,
  ) {
    this.#exchange = exchange;
    this.#listeners = listeners;
    this.#limit = limit;
    this.#onFailure = onFailure;
    this.#requestBody = BodyCapture.announced(this.#limit, exchange.body.length ?? 0);
    this.#record = {
      id: exchange.id,
      startedAt: exchange.timing.started,
      state: 'running',
      answeredAt: undefined,
      endedAt: undefined,
      client: { ip: exchange.clientIp, port: exchange.clientPort },
      request: {
        method: exchange.originalMethod,
        target: exchange.target,
        httpVersion: exchange.httpVersion,
        headers: [...exchange.headers.lines],
        body: this.#requestBody,
      },
      route: undefined,
      service: undefined,
      phases: [],
      runs: [],
      upstreamRequest: undefined,
      upstreamResponse: undefined,
      response: undefined,
      log: [],
    };
    for (const listener of listeners) listener.onStart?.(this.#record);
  }

  readonly #now = (): number => performance.now() - this.#began;

  logged(level: LogLevel, text: string, source: LogSource | undefined): void {
    this.#record.log.push({
      at: this.#now(),
      level,
      plugin: source?.plugin,
      phase: source?.phase,
      text: source?.message ?? text,
    });
  }

  routed(): void {
    const { match, service } = this.#exchange;
    if (match !== undefined) this.#record.route = { id: match.route.id, name: match.route.name };
    if (service !== undefined) this.#record.service = { id: service.id, name: service.name };
  }

  phaseStarted(name: RecordedPhase['name']): void {
    this.#record.phases.push({ name, startedAt: this.#now(), endedAt: undefined });
  }

  phaseEnded(name: RecordedPhase['name']): void {
    const phase = this.#record.phases.find((one) => one.name === name);
    if (phase !== undefined) phase.endedAt ??= this.#now();
  }

  runStarted(plugin: ObservedPlugin, phase: RecordedPhase['name']): RunObserver {
    return new RunRecorder(this.#record, plugin, phase, {
      now: this.#now,
      limit: this.#limit,
      onFailure: this.#onFailure,
    });
  }

  clientChunk(chunk: Buffer): void {
    this.#requestBody.push(chunk);
  }

  upstreamRequest({ url, method, target, headers }: UpstreamRequestHead): void {
    this.#upstreamRequestBody = BodyCapture.announced(this.#limit, 0);
    this.#record.upstreamRequest = {
      url,
      method,
      target,
      httpVersion: '1.1',
      headers: headerPairs(headers),
      body: this.#upstreamRequestBody,
      attempt: (this.#record.upstreamRequest?.attempt ?? 0) + 1,
      sentAt: this.#now(),
    };
  }

  upstreamRequestChunk(chunk: Buffer): void {
    this.#upstreamRequestBody?.push(chunk);
  }

  upstreamResponse(status: number, reason: string, headers: readonly string[]): void {
    this.#upstreamResponseBody = new BodyCapture(this.#limit);
    this.#record.upstreamResponse = this.#response(status, reason, headers, this.#upstreamResponseBody);
  }

  upstreamResponseChunk(chunk: Buffer): void {
    this.#upstreamResponseBody?.push(chunk);
  }

  response(status: number, reason: string, headers: readonly string[]): void {
    this.#responseBody = new BodyCapture(this.#limit);
    this.#record.response = this.#response(status, reason, headers, this.#responseBody);
  }

  responseChunk(chunk: Buffer): void {
    this.#responseBody?.push(chunk);
  }

  answered(): void {
    this.#record.state = 'answered';
    this.#record.answeredAt = this.#now();
    for (const listener of this.#listeners) listener.onAnswer?.(this.#record);
  }

  ended(): void {
    this.#record.state = 'ended';
    this.#record.endedAt = this.#now();
    for (const listener of this.#listeners) listener.onEnd?.(this.#record);
  }

  #response(status: number, reason: string, headers: readonly string[], body: BodyCapture): RecordedResponse {
    return { status, reason, headers: headerPairs(headers), body, headAt: this.#now() };
  }
}
