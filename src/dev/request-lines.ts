import { maskedCall, maskedTarget } from '../inspector/masking.js';
import { endedRequest, isFailure, tellingRuns } from '../inspector/outcomes.js';
import type { ExchangeRecord, PdkCall, PluginRun, RecordedValue, RunOutcome } from '../inspector/record.js';
import type { Style } from './terminal.js';

const MAX_TARGET = 80;
const MAX_VALUE = 120;

/** The time of day of a moment, as the lines of `dev` begin. */
export function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

/** One line per request: time, method, path, status, duration, route, and each plugin with its outcome. */
export function requestLine(record: ExchangeRecord, style: Style): string {
  const { request, response, route, answeredAt, startedAt } = record;
  const status = response === undefined ? style.warning('cut') : statusText(response.status, style);
  const parts = [
    style.dim(clock(startedAt)),
    style.strong(request.method),
    shortened(maskedTarget(request.target), MAX_TARGET),
    status,
    `${Math.round(answeredAt ?? 0)} ms`,
    style.dim(route === undefined ? '(no route)' : (route.name ?? route.id)),
  ];
  const plugins = outcomes(record.runs, style);
  return plugins.length === 0 ? parts.join(' ') : `${parts.join(' ')}  ${plugins.join(', ')}`;
}

/** The PDK calls of a request, one per line, below a line for each event of a plugin. */
export function callLines(record: ExchangeRecord, style: Style): string[] {
  return record.runs.flatMap((run) => {
    const took = run.endedAt === undefined ? '' : ` ${milliseconds(run.endedAt - run.startedAt)}`;
    const instance = run.instanceId === undefined ? '' : ` #${run.instanceId}`;
    const head = `  ${run.phase} ${run.plugin}${style.dim(`${instance}${took}`)} ${outcomeText(run.outcome, style)}`;
    return [head, ...run.calls.map((call, index) => callLine(call, run.calls[index - 1], style))];
  });
}

function callLine(call: PdkCall, before: PdkCall | undefined, style: Style): string {
  const { args, answer } = maskedCall(call);
  // Calls that left the server together stand together.
  const joined = call.write !== undefined && call.write === before?.write ? '+' : ' ';
  const given = args.map(valueText).join(', ');
  const got =
    call.error === undefined
      ? answer === undefined
        ? ''
        : ` ${style.dim('→')} ${valueText(answer)}`
      : ` ${style.bad(call.error)}`;
  const took = call.endedAt === undefined ? '' : style.dim(` ${milliseconds(call.endedAt - call.startedAt)}`);
  return `   ${joined} ${call.method}(${given})${got}${took}`;
}

/** Plugins in the order in which they first ran, each with its most telling outcome. */
function outcomes(runs: readonly PluginRun[], style: Style): string[] {
  return tellingRuns(runs).map(({ plugin, outcome, phase }) => {
    const where = phase === 'access' || !endedRequest(outcome) ? '' : ` in ${phase}`;
    return `${plugin} ${outcomeText(outcome, style)}${where}`;
  });
}

function outcomeText(outcome: RunOutcome, style: Style): string {
  if (isFailure(outcome)) return style.bad(outcome);
  if (outcome === 'exited' || outcome === 'retried') return style.warning(outcome);
  return outcome === 'changed' ? style.changed(outcome) : style.good(outcome);
}

function statusText(status: number, style: Style): string {
  if (status >= 500) return style.bad(String(status));
  if (status >= 400) return style.warning(String(status));
  return style.good(String(status));
}

function valueText(value: RecordedValue): string {
  if (value === undefined) return 'nil';
  if (Buffer.isBuffer(value)) return `<${value.length} bytes>`;
  const text = JSON.stringify(value, (_key, item: unknown) =>
    isSerialisedBuffer(item) ? `<${item.data.length} bytes>` : item,
  );
  return shortened(text, MAX_VALUE);
}

/** Buffers have become this before a replacer sees them. */
function isSerialisedBuffer(value: unknown): value is { data: unknown[] } {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' && Array.isArray(data);
}

function shortened(text: string, length: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const printable = text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
  return printable.length > length ? `${printable.slice(0, length - 1)}…` : printable;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}
