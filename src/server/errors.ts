import { PluginServerError } from '../errors.js';

/**
 * Why a command of Kong's was refused.
 *
 * - `UNKNOWN_INSTANCE`: no instance has this id; Kong is to start a new one.
 * - `START_REFUSED`: no such plugin, a configuration that is no JSON object, or a constructor that threw.
 */
export type RefusalCode = 'UNKNOWN_INSTANCE' | 'START_REFUSED';

/** A command that this server will not carry out. The message names the plugin or the id, and the reason. */
export class CommandRefused extends PluginServerError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** What an unknown thrown value says about itself, for a log line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && !error.message.includes(code)
    ? `${error.message} (${code})`
    : error.message;
}
