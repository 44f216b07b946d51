import type { GatewayLog, LogLevel } from '../gateway/log.js';
import { isFailureReport } from '../inspector/failures.js';
import { isFailure } from '../inspector/outcomes.js';
import type { ExchangeRecord } from '../inspector/record.js';
import type { Recorder } from '../inspector/recorder.js';
import { errorLines } from './error-lines.js';
import { callLines, clock, requestLine } from './request-lines.js';
import type { Style } from './terminal.js';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert'];
/** How long a stack may be on its way from the plugin server. */
const STACK_WAIT_MS = 250;
const SERVER_LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z \[(\w+)\] (.*)$/s;

export interface OutputOptions {
  /** 0: requests, notices and worse. 1: also PDK calls and info. 2: also debug. */
  readonly verbosity: number;
  readonly style: Style;
  /** Takes one line without its end. */
  readonly write: (line: string) => void;
}

/**
 * What `dev` prints while it runs: a line per request, the log lines of plugins, and each error once, with its stack.
 * The plugin server reports an error both to Kong's log and to its own; here the two become one.
 */
export class DevOutput {
  readonly #options: OutputOptions;
  readonly #recorder: Recorder;
  readonly #lowest: number;
  readonly #waiting = new Map<ExchangeRecord, NodeJS.Timeout>();

  constructor(recorder: Recorder, options: OutputOptions) {
    this.#recorder = recorder;
    this.#options = options;
    const { verbosity } = options;
    this.#lowest = LEVELS.indexOf(verbosity >= 2 ? 'debug' : verbosity === 1 ? 'info' : 'notice');
    recorder.listen({
      onEnd: (record) => this.#ended(record),
      onStack: (record) => this.#print(record),
    });
  }

  readonly say = (line: string): void => this.#options.write(line);

  /** The gateway's error log: what a plugin said without what Kong writes around it. */
  readonly log: GatewayLog = (level, text, source) => {
    if (LEVELS.indexOf(level) < this.#lowest) return;
    if (source !== undefined && isFailureReport(source.message)) return;
    // A failed event is told with its request.
    if (source === undefined && /^\[kong\] /.test(text) && level !== 'crit') return;
    const { style } = this.#options;
    const head = `${style.dim(clock(Date.now()))} ${levelText(level, style)}`;
    this.say(source === undefined ? `${head} ${text}` : `${head} ${source.plugin}: ${source.message}`);
  };

  /** A line that the plugin server has written, or a plugin in it. */
  readonly serverLine = (line: string): void => {
    const [, level, text] = SERVER_LINE.exec(line) ?? [];
    if (level === 'error' && text !== undefined) {
      // The server writes an entry in one line.
      if (this.#recorder.serverLogged(text.replaceAll(' | ', '\n'))) return;
      if (/: no end after \d+ ms$/.test(text)) return;
    }
    // One that makes way for another: that has been said.
    if (level === 'notice' && /^(SIGTERM: stopped|another server has taken over)/.test(text ?? '')) return;
    this.say(`[plugin server] ${line}`);
  };

  close(): void {
    for (const [record] of this.#waiting) this.#print(record);
  }

  #ended(record: ExchangeRecord): void {
    if (record.runs.some(({ outcome, error }) => outcome === 'threw' && error?.stack === undefined)) {
      this.#waiting.set(
        record,
        setTimeout(() => this.#print(record), STACK_WAIT_MS),
      );
    } else {
      this.#write(record);
    }
  }

  #print(record: ExchangeRecord): void {
    const timer = this.#waiting.get(record);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#waiting.delete(record);
    this.#write(record);
  }

  #write(record: ExchangeRecord): void {
    const { style, verbosity } = this.#options;
    this.say(requestLine(record, style));
    if (verbosity >= 1) for (const line of callLines(record, style)) this.say(line);
    for (const run of record.runs) {
      if (isFailure(run.outcome)) for (const line of errorLines(run, style)) this.say(line);
    }
  }
}

function levelText(level: LogLevel, style: Style): string {
  const text = `[${level}]`;
  if (LEVELS.indexOf(level) >= LEVELS.indexOf('error')) return style.bad(text);
  return level === 'warn' ? style.warning(text) : style.dim(text);
}
