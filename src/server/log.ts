/** Levels as nginx and Kong name them; each includes the ones before it. */
export const LOG_LEVELS = ['error', 'warn', 'notice', 'info', 'debug'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes lines for the operator. Kong copies them into its own log at level info. */
export interface Log {
  error(message: string): void;
  warn(message: string): void;
  notice(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  /** For callers that would have to build a message first. */
  enabled(level: LogLevel): boolean;
}

/** The level that a number of `-v` flags asks for. */
export function levelOf(verbosity: number): LogLevel {
  if (verbosity >= 2) return 'debug';
  return verbosity === 1 ? 'info' : 'notice';
}

/**
 * @param level the last level that is written
 * @param write takes one line without its end; standard error by default, since standard output may be a dump
 */
export function createLog(
  level: LogLevel,
  write: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): Log {
  const last = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => {
    if (LOG_LEVELS.indexOf(name) > last) return () => {};
    return (message: string) => write(`${new Date().toISOString()} [${name}] ${oneLine(message)}`);
  };
  return {
    error: at('error'),
    warn: at('warn'),
    notice: at('notice'),
    info: at('info'),
    debug: at('debug'),
    enabled: (name) => LOG_LEVELS.indexOf(name) <= last,
  };
}

/** Kong logs a server's output line by line: an entry that were to span lines would lose its head. */
function oneLine(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return message.replace(/[\x00-\x1f\x7f]+/g, (c) => (c.includes('\n') ? ' | ' : ' '));
}
