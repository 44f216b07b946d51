/** The levels of nginx's error log, as it spells them. */
export type LogLevel = 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert';

/** Where the gateway's error log goes: one line of text per call, without level and time. */
export type GatewayLog = (level: LogLevel, text: string) => void;
