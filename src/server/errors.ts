import { PluginServerError } from '../errors.js';

/**
 * Why a command of Kong's was refused.
 *
 * - `UNKNOWN_INSTANCE`: no instance has this id; Kong is to start a new one.
 * - `START_REFUSED`: no such plugin, or a configuration that is no JSON object.
 */
export type RefusalCode = 'UNKNOWN_INSTANCE' | 'START_REFUSED';

/** A command that this server will not carry out. The message names the plugin or the id, and the reason. */
export class CommandRefused extends PluginServerError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** How many causes behind an error are told. */
const MOST_CAUSES = 4;

/**
 * What an unknown thrown value says about itself, for a log line: its message and code, and those of its causes as far
 * as they add anything ("fetch failed" alone helps nobody).
 */
export function describeError(error: unknown): string {
  let text = describeAlone(error);
  let cause = causeOf(error);
  for (let depth = 0; depth < MOST_CAUSES && cause !== undefined; depth++) {
    const described = describeAlone(cause);
    if (!text.includes(described)) text += `; cause: ${described}`;
    cause = causeOf(cause);
  }
  return text;
}

/**
 * The stack of what was thrown, its first line with all that is known, and the stacks of its causes behind it; undefined
 * where there is none.
 */
export function stackWithCauses(error: unknown): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string' || error.stack === '') return undefined;
  const described = describeError(error);
  let text = error.message === '' ? error.stack : error.stack.replace(error.message, () => described);
  let cause = causeOf(error);
  for (let depth = 0; depth < MOST_CAUSES && cause !== undefined; depth++) {
    text += `\nCaused by: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
    cause = causeOf(cause);
  }
  return text;
}

function describeAlone(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  // Several addresses that were tried in vain come as one error without a message.
  const several = error instanceof AggregateError ? error.errors.map(describeAlone).join(', ') : '';
  const message = error.message === '' ? several || error.name : error.message;
  return typeof code === 'string' && !message.includes(code) ? `${message} (${code})` : message;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? (error.cause ?? undefined) : undefined;
}
