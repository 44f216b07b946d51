import type { Also, Done } from './values.js';

/** Values of any kind: texts stay, objects and errors are written out, and all are put together without spaces. */
type Words = (...words: unknown[]) => Done;

/** `kong.log`: lines in Kong's error log. */
export interface KongLog {
  /**
   * A line at level notice.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  (...words: unknown[]): Done;
  /**
   * A line at level alert.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  alert: Words;
  /**
   * A line at level crit.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  crit: Words;
  /**
   * A line at level error.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  err: Words;
  /**
   * A line at level warn.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  warn: Words;
  /**
   * A line at level notice, which Kong shows by default.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  notice: Words;
  /**
   * A line at level info.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  info: Words;
  /**
   * A line at level debug.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  debug: Words;
  /**
   * A warning; an object at the end may have `after` and `removal`, the versions in which the thing is deprecated and goes.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  deprecation: Words;
  /** Writes values out in full, at level notice. */
  inspect: KongLogInspect;
  /**
   * What Kong's logging plugins send of a request, as JSON text.
   *
   * @phases log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  serialize: Also<() => Promise<string>, () => Promise<null>>;
  /**
   * Puts a value into what `serialize` gives; null and undefined remove it.
   *
   * @param key with dots for objects inside
   * @param options `mode`: `set` (default), `add` or `replace`; the latter two over MsgPack:1 only
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setSerializeValue: Also<
    (key: string, value: unknown, options?: { mode?: 'set' | 'add' | 'replace' }) => Done,
    (key: string, value: unknown, options: object) => Promise<object>
  >;
}

/** `kong.log.inspect`, which is a function and can be turned off. */
export interface KongLogInspect {
  /**
   * Writes values out in full, at level notice.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  (...values: unknown[]): Done;
  /**
   * Turns it on again.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  on(): Done;
  /**
   * Has it write nothing.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  off(): Done;
}
