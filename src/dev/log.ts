import type { GatewayLog, LogLevel } from '../gateway/log.js';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert'];

/** The gateway's error log on standard error, from a level on, in lines like nginx's. */
export function gatewayLog(lowest: LogLevel): GatewayLog {
  return (level, text) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
    const time = new Date().toISOString().slice(11, 23);
    process.stderr.write(`${time} [${level}] ${text}\n`);
  };
}
