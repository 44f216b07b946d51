/** The levels of nginx's error log, as it spells them. */
export type LogLevel = 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert';

/** Which plugin logged a line, in which phase, and what it said, without what Kong writes around it. */
export interface LogSource {
  readonly plugin: string;
  readonly phase: string;
  readonly message: string;
}

/**
 * Where the gateway's error log goes: one line of text per call, without level and time; with its source where a
 * plugin logged it.
 */
export type GatewayLog = (level: LogLevel, text: string, source?: LogSource) => void;
