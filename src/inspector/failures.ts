import { isOwnCode } from '../own-code.js';
import type { PluginRun, RecordedError } from './record.js';

/** What the plugin server says through kong.log.err when a handler failed, and what its own log says of it. */
const REPORT = /^(\S+ #\d+: \w+) (?:threw: ([\s\S]*)|took longer than (\d+) ms)$/;

/** The failure that a line reports of the handler of `run`; undefined: it reports none. */
export function reportedFailure(
  run: PluginRun,
  text: string,
): { outcome: 'threw' | 'deadline'; message: string } | undefined {
  const match = REPORT.exec(text);
  if (match === null || match[1] !== subject(run)) return undefined;
  return match[2] === undefined
    ? { outcome: 'deadline', message: `took longer than ${match[3]} ms` }
    : { outcome: 'threw', message: match[2] };
}

/** Whether a plugin's log line is such a report. */
export function isFailureReport(text: string): boolean {
  return REPORT.test(text);
}

/** How the plugin server names an event. */
export function subject({ plugin, instanceId, phase }: PluginRun): string {
  return `${plugin} #${instanceId}: ${phase}`;
}

/** A line of the server's log that says what a handler threw, with its stack. */
export function thrownStack(line: string): { subject: string; stack: string } | undefined {
  const match = REPORT.exec(line);
  return match?.[2] === undefined ? undefined : { subject: match[1] as string, stack: match[2] };
}

const FRAME = /\(?((?:file:\/\/)?\/[^()\n]*?):(\d+):(\d+)\)?\s*$/;

/** An error with the place of its first frame that is the plugin's own. */
export function recordedError(message: string, stack?: string): RecordedError {
  const error: RecordedError = {
    message,
    stack,
    file: undefined,
    line: undefined,
    column: undefined,
  };
  for (const line of stack?.split('\n') ?? []) {
    const match = /^\s*at /.test(line) ? FRAME.exec(line) : null;
    if (match === null || /\/node_modules\/|\(node:/.test(line)) continue;
    const file = (match[1] as string).replace(/^file:\/\//, '');
    if (isOwnCode(file)) continue;
    error.file = file;
    error.line = Number(match[2]);
    error.column = Number(match[3]);
    break;
  }
  return error;
}
