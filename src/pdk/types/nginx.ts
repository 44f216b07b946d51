import type { Also, Done, MemoryStats } from './values.js';

/** `kong.nginx`: what nginx knows of the request. */
export interface KongNginx {
  shared: KongNginxShared;
  /**
   * A variable of nginx's such as `request_id`; undefined if absent or empty.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getVar: Also<(name: string) => Promise<string | undefined>, () => Promise<string>>;
  /**
   * A value in `ngx.ctx`; undefined if absent.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getCtx(key: string): Promise<unknown>;
  /**
   * Puts a value into `ngx.ctx`; null removes it. Over ProtoBuf:1 false is nil to Kong.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setCtx(key: string, value: unknown): Done;
  /**
   * When nginx began with the request, in Unix seconds with decimals.
   *
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  reqStartTime(): Promise<number>;
  /**
   * `http` or `stream`.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getSubsystem(): Promise<string>;
  /**
   * The TLS version of the client's connection; undefined without TLS.
   *
   * @phases certificate, rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getTls1_versionStr: Also<() => Promise<string | undefined>, () => Promise<string>>;
  /**
   * Counts of nginx's connections and requests.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  getStatistics(): Promise<object>;
}

/** `kong.nginx.shared`, which kong-pdk declares; Kong 3.9 has no such functions. */
export interface KongNginxShared {
  /**
   * A value of a shared dictionary.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  get(key: string): Promise<unknown>;
  /**
   * Puts a value into a shared dictionary.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  set(key: string, value: unknown): Done;
}

/** `kong.node`: Kong's node. */
export interface KongNode {
  /**
   * The node's id, a UUID.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getId(): Promise<string>;
  /**
   * The name of the host that the plugin server runs on, which is Kong's.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getHostname(): Promise<string>;
  /**
   * What the node's workers and shared dictionaries use.
   *
   * @param unit over MsgPack:1 `k`, `m` or `g`, which makes texts of the numbers; bytes otherwise
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getMemoryStats(unit?: string, scale?: number): Promise<MemoryStats>;
}
