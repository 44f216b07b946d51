import type { Also, Done, Route, Service, VaultReference } from './values.js';

/** `kong.ctx`: values that live as long as the request. */
export interface KongCtx {
  shared: KongCtxShared;
}

/** `kong.ctx.shared`: shared by all plugins of the request; no client can write there. */
export interface KongCtxShared {
  /**
   * A value that a plugin has put there; undefined if absent.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  get(key: string): Promise<unknown>;
  /**
   * Puts a value there; null removes it. In objects and lists null and undefined are left out; over ProtoBuf:1 false is
   * nil to Kong, and an empty list comes back as an empty object.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  set(key: string, value: unknown): Done;
}

/** `kong.router`: what the request has matched. */
export interface KongRouter {
  /**
   * The route; undefined if none has matched.
   *
   * @phases access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getRoute: Also<() => Promise<Route | undefined>, () => Promise<object>>;
  /**
   * The route's service; undefined if it has none.
   *
   * @phases access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getService: Also<() => Promise<Service | undefined>, () => Promise<object>>;
}

/** `kong.ip`: addresses that Kong trusts. */
export interface KongIp {
  /**
   * Whether Kong's `trusted_ips` has the address.
   *
   * @phases all
   * @protocols ProtoBuf:1, MsgPack:1
   */
  isTrusted(address: string): Promise<boolean>;
}

/** `kong.plugin`: the plugin that runs. */
export interface KongPlugin {
  /**
   * The id of the plugin's entity, a UUID.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getId(): Promise<string>;
}

/** `kong.cluster`: Kong's cluster. */
export interface KongCluster {
  /**
   * The id of the cluster.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  getId: Also<() => Promise<string>, () => Promise<[string, string]>>;
}

/** `kong.telemetry`: OpenTelemetry. */
export interface KongTelemetry {
  /**
   * Sends a log entry through Kong's OpenTelemetry plugin.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  log(plugin: string, config: object, type: string, message: string, attributes: object): Done;
}

/** `kong.vault`: secrets. */
export interface KongVault {
  /**
   * Whether a text is a reference to a secret.
   *
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  isReference(reference: string): Promise<boolean>;
  /**
   * Takes a reference apart.
   *
   * @throws PdkError `PDK_FAILED` when it is none
   * @phases all
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  parseReference: Also<
    (reference: string) => Promise<VaultReference>,
    (reference: string) => Promise<[object, string]>
  >;
  /**
   * The secret behind a reference.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  get: Also<(reference: string) => Promise<string>, (reference: string) => Promise<[string, string]>>;
  /**
   * Looks the references in `$refs` up anew.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  update(options: object): Promise<object>;
  /**
   * Empties the cache of secrets.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  flush(): Done;
  /**
   * Kong's own, at the start of a worker.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  initWorker(): Done;
  /**
   * Kong's own: fills the cache of secrets.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  warmup(): Done;
}

/** `kong.enterpriseEdition`: Kong Enterprise. */
export interface KongEnterpriseEdition {
  jwe: KongJwe;
}

/** `kong.enterpriseEdition.jwe`: JSON Web Encryption. */
export interface KongJwe {
  /**
   * Takes a token apart without decrypting it.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  decode: Also<(token: string) => Promise<string>, (token: string) => Promise<[string, string]>>;
  /**
   * Decrypts a token.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  decrypt: Also<
    (key: unknown, token: string) => Promise<string>,
    (key: unknown, token: string) => Promise<[string, string]>
  >;
  /**
   * Encrypts a text.
   *
   * @phases all
   * @protocols MsgPack:1
   */
  encrypt: Also<
    (alg: string, enc: string, key: unknown, plaintext: string, options?: object) => Promise<string>,
    (alg: string, enc: string, key: unknown, plaintext: string, options?: object) => Promise<[string, string]>
  >;
}
