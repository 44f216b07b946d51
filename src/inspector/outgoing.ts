import { type BodyText, bodyText } from './bodies.js';
import { type HeaderChange, headerChanges, type Verdict, verdictOf } from './changes.js';
import { isFailureReport } from './failures.js';
import { maskedCall, maskedNamed, maskedTarget, maskedText, maskedValue } from './masking.js';
import type {
  ExchangeRecord,
  PdkCall,
  PluginRun,
  RecordedLogLine,
  RecordedMessage,
  RecordedPhase,
  RecordedValue,
} from './record.js';
import { secretValues, withoutValues } from './secret-values.js';
import { type ExchangeSummary, summaryOf } from './summary.js';

/** Longer arguments and answers are cut; all of them are there on demand. */
const LONG = 400;

/** A text that the page shows. */
export interface Shown {
  readonly text: string;
  /** What {@link reveal} gives the text in full by: something of it is masked, or it is cut. */
  readonly more?: string;
  /** Nothing is masked, it is only long. */
  readonly cut?: true;
}

interface Named extends Shown {
  readonly name: string;
}

export interface ShownBody extends Shown {
  readonly kind: BodyText['kind'];
  readonly bytes: number;
  readonly complete: boolean;
}

interface ShownMessage {
  readonly start: Shown;
  readonly headers: readonly Named[];
  readonly body: ShownBody;
}

interface ShownCall extends Pick<PdkCall, 'method' | 'startedAt' | 'endedAt' | 'write'> {
  readonly args: Shown;
  readonly answer: Shown | undefined;
  readonly error: Shown | undefined;
}

interface ShownRun extends Omit<PluginRun, 'config' | 'calls' | 'error'> {
  readonly config: readonly Named[];
  readonly calls: readonly ShownCall[];
  readonly error:
    | { readonly message: Shown; readonly stack: Shown | undefined; readonly place: string }
    | undefined;
}

interface ShownLine extends Omit<RecordedLogLine, 'text'> {
  readonly text: Shown;
}

interface ShownPhase extends RecordedPhase {
  readonly runs: readonly ShownRun[];
  /** Lines of the gateway's; those of plugins are among their calls. */
  readonly log: readonly ShownLine[];
}

/** All of an exchange as the page gets it: credentials masked, each with the name to ask for it. */
export interface ExchangeDetail extends ExchangeSummary {
  readonly client: ExchangeRecord['client'];
  readonly service: string | undefined;
  readonly verdict: Verdict | undefined;
  /** When the last of it was over. */
  readonly endsAt: number;
  readonly request: ShownMessage;
  readonly upstreamRequest: (ShownMessage & { readonly url: string; readonly attempt: number }) | undefined;
  readonly upstreamResponse: ShownMessage | undefined;
  readonly response: ShownMessage | undefined;
  /** From what the client sent to what the upstream got. */
  readonly requestChanges: readonly HeaderChange[];
  /** From what the upstream answered to what the client got. */
  readonly responseChanges: readonly HeaderChange[];
  readonly phases: readonly ShownPhase[];
}

/**
 * The detail of an exchange. What goes by the name of a credential is masked, and so is its value wherever it comes
 * again: in an upstream's echo, in a log line, in an error.
 */
export function detailOf(record: ExchangeRecord): ExchangeDetail {
  return new Display(record).detail();
}

/**
 * One text that {@link detailOf} masked or cut, in full.
 *
 * @param path the `more` that the detail named it by
 * @returns undefined: there is no such text
 */
export function reveal(record: ExchangeRecord, path: string): string | undefined {
  const display = new Display(record);
  display.detail();
  return display.full.get(path);
}

class Display {
  /** What stands behind each text that is not shown as it is. */
  readonly full = new Map<string, string>();
  readonly #record: ExchangeRecord;
  readonly #secrets: readonly string[];

  constructor(record: ExchangeRecord) {
    this.#record = record;
    this.#secrets = secretValues(record);
  }

  detail(): ExchangeDetail {
    const { request, upstreamRequest, upstreamResponse, response, ...record } = this.#record;
    const { runs, phases, endedAt, answeredAt } = record;
    const sent = upstreamRequest && this.#message('upstreamRequest', upstreamRequest);
    const verdict = verdictOf(this.#record);
    return {
      ...summaryOf(this.#record),
      client: record.client,
      service: record.service?.name ?? record.service?.id,
      verdict: verdict && { ...verdict, reason: this.#hidden(verdict.reason) },
      endsAt: Math.max(endedAt ?? 0, answeredAt ?? 0, ...phases.map((phase) => phase.endedAt ?? 0)),
      request: this.#message('request', request),
      upstreamRequest: sent &&
        upstreamRequest && { ...sent, url: upstreamRequest.url, attempt: upstreamRequest.attempt },
      upstreamResponse: upstreamResponse && this.#message('upstreamResponse', upstreamResponse),
      response: response && this.#message('response', response),
      requestChanges: upstreamRequest
        ? headerChanges(request.headers, upstreamRequest.headers, runs, 'request')
        : [],
      responseChanges: response
        ? headerChanges(upstreamResponse?.headers ?? [], response.headers, runs, 'response')
        : [],
      phases: this.#phases(),
    };
  }

  /** The phases with what happened in them. A line of the gateway's belongs to the last phase that had begun. */
  #phases(): ShownPhase[] {
    const { phases, runs, log } = this.#record;
    const lines = log.flatMap((line, index) =>
      line.plugin === undefined ? [{ ...line, text: this.#said(line.text, `log.${index}`) }] : [],
    );
    return phases.map((phase, index) => {
      const next = phases[index + 1]?.startedAt ?? Number.POSITIVE_INFINITY;
      return {
        ...phase,
        runs: runs.flatMap((run, number) =>
          run.phase === phase.name ? [this.#run(run, `runs.${number}`)] : [],
        ),
        log: lines.filter(({ at }) => (index === 0 || at >= phase.startedAt) && at < next),
      };
    });
  }

  #run(run: PluginRun, path: string): ShownRun {
    const { error } = run;
    return {
      ...run,
      config: Object.entries(run.config).map(([name, value]) => ({
        name,
        ...this.#value(
          value as RecordedValue,
          maskedValue(value as RecordedValue, name),
          `${path}.config.${name}`,
        ),
      })),
      // The server's own report of a failure is shown as the error that it is.
      calls: run.calls.flatMap((call, index) =>
        call.method === 'kong.log.err' && isFailureReport(String(call.args[0]))
          ? []
          : [this.#call(call, `${path}.calls.${index}`)],
      ),
      error: error && {
        message: this.#said(error.message, `${path}.error`),
        stack:
          error.stack === undefined
            ? undefined
            : this.#said(error.stack, `${path}.stack`, Number.POSITIVE_INFINITY),
        place: error.file === undefined ? '' : `${error.file}:${error.line}:${error.column}`,
      },
    };
  }

  #call(call: PdkCall, path: string): ShownCall {
    const { method, startedAt, endedAt, write, args, answer, error } = call;
    const masked = maskedCall(call);
    // Kong writes what it is given without anything between.
    const isLog = method.startsWith('kong.log.');
    const text = (values: readonly RecordedValue[]) =>
      isLog
        ? values.map((value) => (typeof value === 'string' ? value : valueText(value))).join('')
        : values.map(valueText).join(', ');
    return {
      method,
      startedAt,
      endedAt,
      write,
      args: this.#shown(text(args), text(masked.args), `${path}.args`),
      answer: answer === undefined ? undefined : this.#value(answer, masked.answer, `${path}.answer`),
      error: error === undefined ? undefined : this.#said(error, `${path}.error`),
    };
  }

  #message(name: string, message: RecordedMessage): ShownMessage {
    const { body } = message;
    const [start, masked] =
      'target' in message
        ? [`${message.method} ${message.target}`, `${message.method} ${maskedTarget(message.target)}`]
        : [`${message.status} ${message.reason}`.trim(), `${message.status} ${message.reason}`.trim()];
    const plain = bodyText(body);
    return {
      start: this.#shown(start, masked, `${name}.start`, Number.POSITIVE_INFINITY),
      headers: message.headers.map(([header, value], index) => ({
        name: header,
        ...this.#shown(value, maskedNamed(header, value), `${name}.headers.${index}`),
      })),
      body: {
        kind: plain.kind,
        bytes: body.bytes,
        complete: body.complete,
        ...this.#shown(plain.text, bodyText(body, true).text, `${name}.body`, Number.POSITIVE_INFINITY),
      },
    };
  }

  #value(value: RecordedValue, masked: RecordedValue, path: string): Shown {
    return this.#shown(valueText(value), valueText(masked), path);
  }

  #said(text: string, path: string, length = LONG): Shown {
    return this.#shown(text, maskedText(text), path, length);
  }

  /** @param masked the text without the credentials that it names itself */
  #shown(plain: string, masked: string, path: string, length = LONG): Shown {
    const text = withoutValues(masked, this.#secrets);
    if (text === plain && text.length <= length) return { text };
    this.full.set(path, plain);
    const shown = text.length > length ? `${text.slice(0, length)}…` : text;
    return text === plain ? { text: shown, more: path, cut: true } : { text: shown, more: path };
  }

  #hidden(text: string): string {
    return withoutValues(maskedText(text), this.#secrets);
  }
}

/** A value as one would write it; bytes that are no text as hex. */
export function valueText(value: RecordedValue): string {
  if (value === undefined || value === null) return 'nil';
  if (Buffer.isBuffer(value)) return `<${value.toString('hex')}>`;
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${valueText(item as RecordedValue)}`,
  );
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}
