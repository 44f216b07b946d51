import type { Also, Bytes, Done, HeaderFields, Headers, HeaderValue } from './values.js';

/** `kong.service`: where the request goes. */
export interface KongService {
  request: KongServiceRequest;
  response: KongServiceResponse;
  /**
   * Sends the request to an upstream entity. False when there is none of this name.
   *
   * @phases access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setUpstream: Also<(name: string) => Promise<boolean>, (name: string) => Promise<[boolean, string]>>;
  /**
   * Sends the request to a host and port.
   *
   * @phases rewrite, access, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setTarget(host: string, port: number): Done;
  /**
   * How often Kong tries anew.
   *
   * @phases access
   * @protocols MsgPack:1
   */
  setRetries(retries: number): Done;
  /**
   * Timeouts towards the upstream, in milliseconds.
   *
   * @phases access
   * @protocols MsgPack:1
   */
  setTimeouts(connectTimeout: number, writeTimeout: number, readTimeout: number): Done;
  /**
   * Whether the upstream's certificate is verified.
   *
   * @phases rewrite, access, preread
   * @protocols MsgPack:1
   */
  setTlsVerify: Also<(on: boolean) => Promise<boolean>, (on: boolean) => Promise<[boolean, string]>>;
  /**
   * How long the upstream's chain of certificates may be.
   *
   * @phases rewrite, access, preread
   * @protocols MsgPack:1
   */
  setTlsVerifyDepth: Also<(depth: number) => Done, (depth: number) => Promise<[boolean, string]>>;
  /**
   * Takes Lua code, which no plugin server can send: an error always.
   *
   * @phases none
   * @protocols none
   */
  setTargetRetryCallback(callback: never): Done;
}

/** `kong.service.request`: the request as the upstream gets it. */
export interface KongServiceRequest {
  /**
   * Has Kong wait for the whole response. It does so anyway for a plugin with a `response` handler.
   *
   * @phases rewrite, access
   * @protocols MsgPack:1; ProtoBuf:1 for plugins with a `response` handler
   */
  enableBuffering(): Done;
  /**
   * `http` or `https`.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setScheme(scheme: string): Done;
  /**
   * The path, which begins with `/`.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setPath(path: string): Done;
  /**
   * The query, without `?`.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setRawQuery(query: string): Done;
  /**
   * The query's arguments in place of all: `true` writes the name alone, false, null and undefined nothing.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setQuery(args: HeaderFields): Done;
  /**
   * The method, in upper case.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setMethod(method: string): Done;
  /**
   * Sets a header in place of all of its name.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setHeader(name: string, value: HeaderValue): Done;
  /**
   * Adds a header to those of its name.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  addHeader(name: string, value: HeaderValue): Done;
  /**
   * Removes all headers of a name.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  clearHeader(name: string): Done;
  /**
   * Sets several headers.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setHeaders(headers: HeaderFields): Done;
  /**
   * The body as it is; Content-Length follows.
   *
   * @phases rewrite, access
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setRawBody(body: string | Uint8Array): Done;
  /**
   * The body as JSON, a form or multipart, and the Content-Type.
   *
   * @param mimetype instead of the request's Content-Type
   * @throws PdkError `PDK_FAILED` for another type
   * @phases rewrite, access
   * @protocols ProtoBuf:1 (built from others), MsgPack:1 (likewise)
   */
  setBody: Also<
    (args: object, mimetype?: string) => Promise<boolean>,
    (args: object, mimetype?: string) => Promise<[boolean, string]>
  >;
  /**
   * Speaks to the upstream without TLS, in the stream subsystem.
   *
   * @phases preread
   * @protocols MsgPack:1
   */
  disableTls: Also<() => Promise<boolean>, () => Promise<[boolean, string]>>;
}

/** `kong.service.response`: the upstream's response, before plugins changed it. */
export interface KongServiceResponse {
  /**
   * The status that the upstream answered with.
   *
   * @phases response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getStatus(): Promise<number>;
  /**
   * One header, the first of its name; undefined if absent, over ProtoBuf:1 also if empty.
   *
   * @phases response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHeader: Also<(name: string) => Promise<string | undefined>, (name: string) => Promise<string>>;
  /**
   * The headers by lower-case name: one value is a string, several are a list. Kong's own function answers `{}`; these
   * are the names of `kong.response.getHeaders()` with the values of `getHeader(name)`, so a header that a plugin has
   * removed from the response is missing.
   *
   * @param maxHeaders 1 to 1000; 100 by default
   * @phases response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1 (likewise)
   */
  getHeaders: Also<
    (maxHeaders?: number) => Promise<Headers>,
    (maxHeaders?: number) => Promise<[Headers, string]>
  >;
  /**
   * The body.
   *
   * @phases response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getRawBody(): Promise<Bytes>;
  /**
   * The body, parsed as JSON, a form or multipart.
   *
   * @param mimetype instead of the response's Content-Type
   * @throws PdkError `PDK_FAILED` when the type is another or the body is not of it
   * @phases response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getBody: Also<
    (mimetype?: string, maxArgs?: number) => Promise<unknown>,
    (mimetype?: string, maxArgs?: number) => Promise<string>
  >;
}
