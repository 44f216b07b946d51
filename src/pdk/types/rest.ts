import type { Also, Done, Route, Service, VaultReference } from './values.js';

/** `kong.ctx`: values that live as long as the request. */
export interface KongCtx {
  shared: KongCtxShared;
}

/** `kong.ctx.shared`: shared by all plugins of the request; no client can write there. */
export interface KongCtxShared {
  /** A value that a plugin has put there; undefined if absent. */
  get(key: string): Promise<unknown>;
  /**
   * Puts a value there; null removes it. In objects and lists null and undefined are left out; over ProtoBuf:1 false is
   * nil to Kong, and an empty list comes back as an empty object.
   */
  set(key: string, value: unknown): Done;
}

/** `kong.router`: what the request has matched. */
export interface KongRouter {
  /** The route; undefined if none has matched. */
  getRoute: Also<() => Promise<Route | undefined>, () => Promise<object>>;
  /** The route's service; undefined if it has none. */
  getService: Also<() => Promise<Service | undefined>, () => Promise<object>>;
}

/** `kong.ip`: addresses that Kong trusts. */
export interface KongIp {
  /** Whether Kong's `trusted_ips` has the address. */
  isTrusted(address: string): Promise<boolean>;
}

/** `kong.plugin`: the plugin that runs. */
export interface KongPlugin {
  /** The id of the plugin's entity, a UUID. */
  getId(): Promise<string>;
}

/** `kong.cluster`: Kong's cluster. */
export interface KongCluster {
  /** The id of the cluster. */
  getId: Also<() => Promise<string>, () => Promise<[string, string]>>;
}

/** `kong.telemetry`: OpenTelemetry. */
export interface KongTelemetry {
  /** Sends a log entry through Kong's OpenTelemetry plugin. */
  log(plugin: string, config: object, type: string, message: string, attributes: object): Done;
}

/** `kong.vault`: secrets. */
export interface KongVault {
  /** Whether a text is a reference to a secret. */
  isReference(reference: string): Promise<boolean>;
  /**
   * Takes a reference apart.
   *
   * @throws PdkError `PDK_FAILED` when it is none
   */
  parseReference: Also<
    (reference: string) => Promise<VaultReference>,
    (reference: string) => Promise<[object, string]>
  >;
  /** The secret behind a reference. */
  get: Also<(reference: string) => Promise<string>, (reference: string) => Promise<[string, string]>>;
  /** Looks the references in `$refs` up anew. */
  update(options: object): Promise<object>;
  /** Empties the cache of secrets. */
  flush(): Done;
  /** Kong's own, at the start of a worker. */
  initWorker(): Done;
  /** Kong's own: fills the cache of secrets. */
  warmup(): Done;
}

/** `kong.enterpriseEdition`: Kong Enterprise. */
export interface KongEnterpriseEdition {
  jwe: KongJwe;
}

/** `kong.enterpriseEdition.jwe`: JSON Web Encryption. */
export interface KongJwe {
  /** Takes a token apart without decrypting it. */
  decode: Also<(token: string) => Promise<string>, (token: string) => Promise<[string, string]>>;
  /** Decrypts a token. */
  decrypt: Also<
    (key: unknown, token: string) => Promise<string>,
    (key: unknown, token: string) => Promise<[string, string]>
  >;
  /** Encrypts a text. */
  encrypt: Also<
    (alg: string, enc: string, key: unknown, plaintext: string, options?: object) => Promise<string>,
    (alg: string, enc: string, key: unknown, plaintext: string, options?: object) => Promise<[string, string]>
  >;
}
