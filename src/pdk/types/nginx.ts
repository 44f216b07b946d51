import type { Also, Done, MemoryStats } from './values.js';

/** `kong.nginx`: what nginx knows of the request. */
export interface KongNginx {
  shared: KongNginxShared;
  /** A variable of nginx's such as `request_id`; undefined if absent or empty. */
  getVar: Also<(name: string) => Promise<string | undefined>, () => Promise<string>>;
  /** A value in `ngx.ctx`; undefined if absent. */
  getCtx(key: string): Promise<unknown>;
  /** Puts a value into `ngx.ctx`; null removes it. Over ProtoBuf:1 false is nil to Kong. */
  setCtx(key: string, value: unknown): Done;
  /** When nginx began with the request, in Unix seconds with decimals. */
  reqStartTime(): Promise<number>;
  /** `http` or `stream`. */
  getSubsystem(): Promise<string>;
  /** The TLS version of the client's connection; undefined without TLS. */
  getTls1_versionStr: Also<() => Promise<string | undefined>, () => Promise<string>>;
  /** Counts of nginx's connections and requests. */
  getStatistics(): Promise<object>;
}

/** `kong.nginx.shared`, which kong-pdk declares; Kong 3.9 has no such functions. */
export interface KongNginxShared {
  /** A value of a shared dictionary. */
  get(key: string): Promise<unknown>;
  /** Puts a value into a shared dictionary. */
  set(key: string, value: unknown): Done;
}

/** `kong.node`: Kong's node. */
export interface KongNode {
  /** The node's id, a UUID. */
  getId(): Promise<string>;
  /** The name of the host that the plugin server runs on, which is Kong's. */
  getHostname(): Promise<string>;
  /**
   * What the node's workers and shared dictionaries use.
   *
   * @param unit over MsgPack:1 `k`, `m` or `g`, which makes texts of the numbers; bytes otherwise
   */
  getMemoryStats(unit?: string, scale?: number): Promise<MemoryStats>;
}
