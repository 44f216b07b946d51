import type { Also, Consumer, Credential, Done } from './values.js';

/** `kong.client`: who is connected, and whom the request was authenticated as. */
export interface KongClient {
  tls: KongClientTls;
  /** The address of the connection's other end. */
  getIp(): Promise<string>;
  /** The port of the connection's other end. */
  getPort(): Promise<number>;
  /** The client's address, by `X-Forwarded-For` and its like where a trusted address sent them. */
  getForwardedIp(): Promise<string>;
  /** The client's port, likewise. */
  getForwardedPort(): Promise<number>;
  /** The consumer that an authentication plugin has found; undefined before. */
  getConsumer: Also<() => Promise<Consumer | undefined>, () => Promise<object>>;
  /** The credential that an authentication plugin has found; undefined before. */
  getCredential: Also<() => Promise<Credential | undefined>, () => Promise<string>>;
  /**
   * Looks a consumer up; undefined if there is none.
   *
   * @param id a UUID, or a name where `searchByUsername` is true
   */
  loadConsumer: Also<
    (id: string, searchByUsername?: boolean) => Promise<Consumer | undefined>,
    (id: string, searchByUsername?: boolean) => Promise<[object, string]>
  >;
  /** Names the consumer and the credential of the request; null for none, but not for both. */
  authenticate: Also<
    (consumer: Partial<Consumer> | null, credential: Partial<Credential> | null) => Done,
    (consumer: object, credential: object) => Done
  >;
  /**
   * The protocol that the client speaks, such as `http` or `https`.
   *
   * @param allowTerminated counts TLS that a trusted proxy has terminated
   */
  getProtocol: Also<
    (allowTerminated?: boolean) => Promise<string | undefined>,
    (allowTerminated?: boolean) => Promise<[string, string]>
  >;
  /** Kong Enterprise: the first of the request's consumer groups. */
  getConsumerGroup: Also<() => Promise<object | undefined>, () => Promise<object>>;
  /** Kong Enterprise: the request's consumer groups. */
  getConsumerGroups: Also<() => Promise<object[] | undefined>, () => Promise<object>>;
  /** Kong Enterprise: names the request's consumer group. */
  setAuthenticatedConsumerGroup(group: object): Done;
  /** Kong Enterprise: names the request's consumer groups. */
  setAuthenticatedConsumerGroups(groups: object): Done;
  /** Kong Enterprise: takes the consumer groups of a consumer. */
  authenticateConsumerGroupByConsumerId(consumerId: string): Done;
}

/** `kong.client.tls`: the TLS connection of the client. */
export interface KongClientTls {
  /** Asks the client for a certificate. */
  requestClientCertificate: Also<
    (caCerts?: unknown) => Promise<boolean>,
    (caCerts?: unknown) => Promise<[boolean, string]>
  >;
  /** Keeps the TLS session from being resumed. */
  disableSessionReuse: Also<() => Promise<boolean>, () => Promise<[boolean, string]>>;
  /** The client's certificates in PEM; undefined if it sent none. */
  getFullClientCertificateChain: Also<() => Promise<string | undefined>, () => Promise<[string, string]>>;
  /** Says how the client's certificate was verified: `SUCCESS`, `NONE` or `FAILED:reason`. */
  setClientVerify(result?: string): Done;
}
