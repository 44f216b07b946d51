import type { Also, Consumer, Credential, Done } from './values.js';

/** `kong.client`: who is connected, and whom the request was authenticated as. */
export interface KongClient {
  tls: KongClientTls;
  /**
   * The address of the connection's other end.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getIp(): Promise<string>;
  /**
   * The port of the connection's other end.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getPort(): Promise<number>;
  /**
   * The client's address, by `X-Forwarded-For` and its like where a trusted address sent them.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getForwardedIp(): Promise<string>;
  /**
   * The client's port, likewise.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getForwardedPort(): Promise<number>;
  /**
   * The consumer that an authentication plugin has found; undefined before.
   *
   * @phases access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getConsumer: Also<() => Promise<Consumer | undefined>, () => Promise<object>>;
  /**
   * The credential that an authentication plugin has found; undefined before.
   *
   * @phases access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getCredential: Also<() => Promise<Credential | undefined>, () => Promise<string>>;
  /**
   * Looks a consumer up; undefined if there is none.
   *
   * @param id a UUID, or a name where `searchByUsername` is true
   * @phases access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  loadConsumer: Also<
    (id: string, searchByUsername?: boolean) => Promise<Consumer | undefined>,
    (id: string, searchByUsername?: boolean) => Promise<[object, string]>
  >;
  /**
   * Names the consumer and the credential of the request; null for none, but not for both.
   *
   * @phases access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  authenticate: Also<
    (consumer: Partial<Consumer> | null, credential: Partial<Credential> | null) => Done,
    (consumer: object, credential: object) => Done
  >;
  /**
   * The protocol that the client speaks, such as `http` or `https`.
   *
   * @param allowTerminated counts TLS that a trusted proxy has terminated
   * @phases access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getProtocol: Also<
    (allowTerminated?: boolean) => Promise<string | undefined>,
    (allowTerminated?: boolean) => Promise<[string, string]>
  >;
  /**
   * Kong Enterprise: the first of the request's consumer groups.
   *
   * @phases access, response, log
   * @protocols MsgPack:1
   */
  getConsumerGroup: Also<() => Promise<object | undefined>, () => Promise<object>>;
  /**
   * Kong Enterprise: the request's consumer groups.
   *
   * @phases access, response, log
   * @protocols MsgPack:1
   */
  getConsumerGroups: Also<() => Promise<object[] | undefined>, () => Promise<object>>;
  /**
   * Kong Enterprise: names the request's consumer group.
   *
   * @phases access
   * @protocols MsgPack:1
   */
  setAuthenticatedConsumerGroup(group: object): Done;
  /**
   * Kong Enterprise: names the request's consumer groups.
   *
   * @phases access
   * @protocols MsgPack:1
   */
  setAuthenticatedConsumerGroups(groups: object): Done;
  /**
   * Kong Enterprise: takes the consumer groups of a consumer.
   *
   * @phases access
   * @protocols MsgPack:1
   */
  authenticateConsumerGroupByConsumerId(consumerId: string): Done;
}

/** `kong.client.tls`: the TLS connection of the client. */
export interface KongClientTls {
  /**
   * Asks the client for a certificate.
   *
   * @phases certificate
   * @protocols MsgPack:1
   */
  requestClientCertificate: Also<
    (caCerts?: unknown) => Promise<boolean>,
    (caCerts?: unknown) => Promise<[boolean, string]>
  >;
  /**
   * Keeps the TLS session from being resumed.
   *
   * @phases certificate
   * @protocols MsgPack:1
   */
  disableSessionReuse: Also<() => Promise<boolean>, () => Promise<[boolean, string]>>;
  /**
   * The client's certificates in PEM; undefined if it sent none.
   *
   * @phases rewrite, access, response
   * @protocols MsgPack:1
   */
  getFullClientCertificateChain: Also<() => Promise<string | undefined>, () => Promise<[string, string]>>;
  /**
   * Says how the client's certificate was verified: `SUCCESS`, `NONE` or `FAILED:reason`.
   *
   * @phases rewrite, access, response
   * @protocols MsgPack:1
   */
  setClientVerify(result?: string): Done;
}
