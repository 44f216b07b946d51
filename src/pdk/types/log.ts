import type { Also, Done } from './values.js';

/** Values of any kind: texts stay, objects and errors are written out, and all are put together without spaces. */
type Words = (...words: unknown[]) => Done;

/** `kong.log`: lines in Kong's error log. */
export interface KongLog {
  /** A line at level notice. */
  (...words: unknown[]): Done;
  /** A line at level alert. */
  alert: Words;
  /** A line at level crit. */
  crit: Words;
  /** A line at level error. */
  err: Words;
  /** A line at level warn. */
  warn: Words;
  /** A line at level notice, which Kong shows by default. */
  notice: Words;
  /** A line at level info. */
  info: Words;
  /** A line at level debug. */
  debug: Words;
  /** A warning; an object at the end may have `after` and `removal`, the versions in which the thing is deprecated and goes. */
  deprecation: Words;
  /** Writes values out in full, at level notice. */
  inspect: KongLogInspect;
  /** What Kong's logging plugins send of a request, as JSON text. */
  serialize: Also<() => Promise<string>, () => Promise<null>>;
  /**
   * Puts a value into what `serialize` gives; null and undefined remove it.
   *
   * @param key with dots for objects inside
   * @param options `mode`: `set` (default), `add` or `replace`; the latter two over MsgPack:1 only
   */
  setSerializeValue: Also<
    (key: string, value: unknown, options?: { mode?: 'set' | 'add' | 'replace' }) => Done,
    (key: string, value: unknown, options: object) => Promise<object>
  >;
}

/** `kong.log.inspect`, which is a function and can be turned off. */
export interface KongLogInspect {
  /** Writes values out in full, at level notice. */
  (...values: unknown[]): Done;
  /** Turns it on again. */
  on(): Done;
  /** Has it write nothing. */
  off(): Done;
}
