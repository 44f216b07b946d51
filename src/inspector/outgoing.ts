import { type HeaderChange, headerChanges, type Verdict, verdictOf } from './changes.js';
import { isSecretName, MASK, maskedCall, maskedQueryText, maskedTarget, maskedValue } from './masking.js';
import type { ExchangeRecord, PdkCall, RecordedBody, RecordedHeaders, RecordedValue } from './record.js';

/** An exchange as the list shows it. Nothing secret is in it. */
export interface ExchangeSummary {
  readonly id: string;
  readonly startedAt: number;
  readonly state: ExchangeRecord['state'];
  readonly method: string;
  readonly target: string;
  readonly status: number | undefined;
  readonly ms: number | undefined;
  readonly route: string | undefined;
  readonly runs: readonly { readonly plugin: string; readonly phase: string; readonly outcome: string }[];
}

export function summaryOf(record: ExchangeRecord): ExchangeSummary {
  const { id, startedAt, state, request, response, answeredAt, route, runs } = record;
  return {
    id,
    startedAt,
    state,
    method: request.method,
    target: maskedTarget(request.target),
    status: response?.status,
    ms: answeredAt,
    route: route === undefined ? undefined : (route.name ?? route.id),
    runs: runs.map(({ plugin, phase, outcome }) => ({ plugin, phase, outcome })),
  };
}

/** A text that the page shows; `secret` names what {@link reveal} gives in its place. */
export interface Shown {
  readonly text: string;
  readonly secret?: string;
}

export interface ShownBody extends Shown {
  readonly bytes: number;
  readonly complete: boolean;
  readonly kind: 'empty' | 'json' | 'text' | 'hex';
}

interface ShownMessage {
  readonly start: Shown;
  readonly headers: readonly (Shown & { readonly name: string })[];
  readonly body: ShownBody;
}

/** All of an exchange as the page gets it: credentials masked, each with the name to ask for it. */
export interface ExchangeDetail extends Omit<ExchangeSummary, 'runs'> {
  readonly client: ExchangeRecord['client'];
  readonly service: string | undefined;
  readonly verdict: Verdict | undefined;
  readonly endsAt: number;
  readonly request: ShownMessage;
  readonly upstreamRequest: (ShownMessage & { readonly url: string; readonly attempt: number }) | undefined;
  readonly upstreamResponse: ShownMessage | undefined;
  readonly response: ShownMessage | undefined;
  /** From what the client sent to what the upstream got. */
  readonly requestChanges: readonly HeaderChange[];
  /** From what the upstream answered to what the client got. */
  readonly responseChanges: readonly HeaderChange[];
  readonly phases: ExchangeRecord['phases'];
  readonly runs: readonly ShownRun[];
  readonly log: ExchangeRecord['log'];
}

interface ShownRun extends Omit<ExchangeRecord['runs'][number], 'config' | 'calls'> {
  readonly config: readonly (Shown & { readonly name: string })[];
  readonly calls: readonly ShownCall[];
}

interface ShownCall extends Pick<PdkCall, 'method' | 'startedAt' | 'endedAt' | 'write' | 'error'> {
  readonly args: string;
  readonly answer: string | undefined;
  readonly secret: string | undefined;
}

const MESSAGES = ['request', 'upstreamRequest', 'upstreamResponse', 'response'] as const;

/**
 * The detail of an exchange. A credential that a header, the query or the configuration names is masked wherever its
 * value comes again, too: in an upstream's echo, in a log line, in an error.
 */
export function detailOf(record: ExchangeRecord): ExchangeDetail {
  return withoutValues(shownDetail(record), secretValues(record)) as ExchangeDetail;
}

/** Shorter ones would mask half of the page, and say nothing. */
const LEAST_SECRET = 6;

function secretValues(record: ExchangeRecord): readonly string[] {
  const values = new Set<string>();
  const add = (name: string, value: unknown) => {
    if (typeof value !== 'string' || !isSecretName(name)) return;
    // The scheme of an Authorization header is no secret, and an echo may come without it.
    for (const part of [value, value.replace(/^\w+ /, '')]) if (part.length >= LEAST_SECRET) values.add(part);
  };
  for (const message of MESSAGES)
    for (const [name, value] of record[message]?.headers ?? []) add(name, value);
  for (const [name, value] of new URLSearchParams(record.request.target.split('?')[1] ?? ''))
    add(name, value);
  for (const run of record.runs) for (const [name, value] of Object.entries(run.config)) add(name, value);
  return [...values].sort((a, b) => b.length - a.length);
}

function withoutValues(value: unknown, secrets: readonly string[]): unknown {
  if (secrets.length === 0) return value;
  if (typeof value === 'string')
    return secrets.reduce((text, secret) => text.replaceAll(secret, MASK), value);
  if (Array.isArray(value)) return value.map((item) => withoutValues(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutValues(item, secrets)]));
}

function shownDetail(record: ExchangeRecord): ExchangeDetail {
  const { upstreamRequest, upstreamResponse, response } = record;
  const message = (name: (typeof MESSAGES)[number]) => {
    const one = record[name];
    return one === undefined ? undefined : shownMessage(name, one);
  };
  const sent = message('upstreamRequest');
  return {
    ...summaryOf(record),
    client: record.client,
    service: record.service?.name ?? record.service?.id,
    verdict: verdictOf(record),
    endsAt: Math.max(
      record.endedAt ?? 0,
      record.answeredAt ?? 0,
      ...record.phases.map(({ endedAt }) => endedAt ?? 0),
    ),
    request: message('request') as ShownMessage,
    upstreamRequest: sent &&
      upstreamRequest && { ...sent, url: upstreamRequest.url, attempt: upstreamRequest.attempt },
    upstreamResponse: message('upstreamResponse'),
    response: message('response'),
    requestChanges:
      upstreamRequest === undefined
        ? []
        : headerChanges(record.request.headers, upstreamRequest.headers, record.runs, 'request'),
    responseChanges:
      response === undefined
        ? []
        : headerChanges(upstreamResponse?.headers ?? [], response.headers, record.runs, 'response'),
    phases: record.phases,
    runs: record.runs.map((run, number) => ({
      ...run,
      config: Object.entries(run.config).map(([name, value]) => ({
        name,
        ...shownValue(value as RecordedValue, name, `runs.${number}.config.${name}`),
      })),
      calls: run.calls.map((call, index) => shownCall(call, `runs.${number}.calls.${index}`)),
    })),
    log: record.log,
  };
}

/**
 * One value that {@link detailOf} masked.
 *
 * @param path the `secret` that the detail named it by
 * @returns undefined: there is no such value
 */
export function reveal(record: ExchangeRecord, path: string): string | undefined {
  const [where = '', what = '', ...more] = path.split('.');
  const rest = more.join('.');
  if (where === 'runs') {
    const run = record.runs[Number(what)];
    if (more[0] === 'config') {
      const name = more.slice(1).join('.');
      return run !== undefined && Object.hasOwn(run.config, name)
        ? valueText(run.config[name] as RecordedValue)
        : undefined;
    }
    const call = more[0] === 'calls' ? run?.calls[Number(more[1])] : undefined;
    return call && `${argsText(call.args)} → ${valueText(call.answer)}`;
  }
  const name = MESSAGES.find((one) => one === where);
  const message = name === undefined ? undefined : record[name];
  if (message === undefined) return undefined;
  if (what === 'headers') return message.headers[Number(rest)]?.[1];
  if (what === 'start') return startLine(message);
  return what === 'body' ? bodyText(message.body).text : undefined;
}

type Message = { readonly headers: RecordedHeaders; readonly body: RecordedBody } & (
  | { readonly method: string; readonly target: string; readonly httpVersion: string }
  | { readonly status: number; readonly reason: string }
);

function startLine(message: Message): string {
  return 'method' in message
    ? `${message.method} ${message.target}`
    : `${message.status} ${message.reason}`.trim();
}

function shownMessage(name: string, message: Message): ShownMessage {
  const start = startLine(message);
  const masked = 'method' in message ? `${message.method} ${maskedTarget(message.target)}` : start;
  return {
    start: masked === start ? { text: start } : { text: masked, secret: `${name}.start` },
    headers: message.headers.map(([header, value], index) => ({
      name: header,
      ...(isSecretName(header) ? { text: MASK, secret: `${name}.headers.${index}` } : { text: value }),
    })),
    body: shownBody(message.body, `${name}.body`),
  };
}

function shownBody(body: RecordedBody, path: string): ShownBody {
  const { bytes, complete } = body;
  const plain = bodyText(body);
  const masked = bodyText(body, true);
  return {
    bytes,
    complete,
    ...masked,
    ...(masked.text === plain.text ? {} : { secret: path }),
  };
}

function bodyText({ content }: RecordedBody, mask = false): Pick<ShownBody, 'kind' | 'text'> {
  if (content.length === 0) return { kind: 'empty', text: '' };
  const text = content.toString();
  // What a cut character leaves stands at the end.
  const cut = text.replace(/\uFFFD{1,3}$/, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells binary from text
  if (/[\x00-\x08\x0e-\x1f\uFFFD]/.test(cut)) return { kind: 'hex', text: hexDump(content) };
  try {
    const value = JSON.parse(text) as RecordedValue;
    return { kind: 'json', text: JSON.stringify(mask ? maskedValue(value) : value, undefined, 2) };
  } catch {
    // Not JSON, or not all of it: shown as it is, and fields are found by how they are written.
    return { kind: 'text', text: mask ? maskedQueryText(cut) : cut };
  }
}

function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = row.toString('hex').replace(/../g, '$& ').padEnd(48);
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex} ${text}`);
  }
  return lines.join('\n');
}

function shownValue(value: RecordedValue, name: string, path: string): Shown {
  const plain = valueText(value);
  const text = valueText(maskedValue(value, name));
  return text === plain ? { text } : { text, secret: path };
}

function shownCall(call: PdkCall, path: string): ShownCall {
  const masked = maskedCall(call);
  const args = argsText(masked.args);
  const answer = call.answer === undefined ? undefined : valueText(masked.answer);
  const isMasked = args !== argsText(call.args) || valueText(masked.answer) !== valueText(call.answer);
  const { method, startedAt, endedAt, write, error } = call;
  return { method, startedAt, endedAt, write, error, args, answer, secret: isMasked ? path : undefined };
}

function argsText(args: readonly RecordedValue[]): string {
  return args.map(valueText).join(', ');
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
  return `{ ${fields.join(', ')} }`;
}
