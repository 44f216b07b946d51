import type { Also, Bytes, Done, HeaderFields, Headers, HeaderValue } from './values.js';

/** `kong.service`: where the request goes. */
export interface KongService {
  request: KongServiceRequest;
  response: KongServiceResponse;
  /** Sends the request to an upstream entity. False when there is none of this name. */
  setUpstream: Also<(name: string) => Promise<boolean>, (name: string) => Promise<[boolean, string]>>;
  /** Sends the request to a host and port. */
  setTarget(host: string, port: number): Done;
  /** How often Kong tries anew. */
  setRetries(retries: number): Done;
  /** Timeouts towards the upstream, in milliseconds. */
  setTimeouts(connectTimeout: number, writeTimeout: number, readTimeout: number): Done;
  /** Whether the upstream's certificate is verified. */
  setTlsVerify: Also<(on: boolean) => Promise<boolean>, (on: boolean) => Promise<[boolean, string]>>;
  /** How long the upstream's chain of certificates may be. */
  setTlsVerifyDepth: Also<(depth: number) => Done, (depth: number) => Promise<[boolean, string]>>;
  /** Takes Lua code, which no plugin server can send: an error always. */
  setTargetRetryCallback(callback: never): Done;
}

/** `kong.service.request`: the request as the upstream gets it. */
export interface KongServiceRequest {
  /** Has Kong wait for the whole response. It does so anyway for a plugin with a `response` handler. */
  enableBuffering(): Done;
  /** `http` or `https`. */
  setScheme(scheme: string): Done;
  /** The path, which begins with `/`. */
  setPath(path: string): Done;
  /** The query, without `?`. */
  setRawQuery(query: string): Done;
  /** The query's arguments in place of all: `true` writes the name alone, false, null and undefined nothing. */
  setQuery(args: HeaderFields): Done;
  /** The method, in upper case. */
  setMethod(method: string): Done;
  /** Sets a header in place of all of its name. */
  setHeader(name: string, value: HeaderValue): Done;
  /** Adds a header to those of its name. */
  addHeader(name: string, value: HeaderValue): Done;
  /** Removes all headers of a name. */
  clearHeader(name: string): Done;
  /** Sets several headers. */
  setHeaders(headers: HeaderFields): Done;
  /** The body as it is; Content-Length follows. */
  setRawBody(body: string | Uint8Array): Done;
  /**
   * The body as JSON, a form or multipart, and the Content-Type.
   *
   * @param mimetype instead of the request's Content-Type
   * @throws PdkError `PDK_FAILED` for another type
   */
  setBody: Also<
    (args: object, mimetype?: string) => Promise<boolean>,
    (args: object, mimetype?: string) => Promise<[boolean, string]>
  >;
  /** Speaks to the upstream without TLS, in the stream subsystem. */
  disableTls: Also<() => Promise<boolean>, () => Promise<[boolean, string]>>;
}

/** `kong.service.response`: the upstream's response, before plugins changed it. */
export interface KongServiceResponse {
  /** The status that the upstream answered with. */
  getStatus(): Promise<number>;
  /** One header, the first of its name; undefined if absent, over ProtoBuf:1 also if empty. */
  getHeader: Also<(name: string) => Promise<string | undefined>, (name: string) => Promise<string>>;
  /**
   * The headers by lower-case name: one value is a string, several are a list. Kong's own function answers `{}`; these
   * are the names of `kong.response.getHeaders()` with the values of `getHeader(name)`, so a header that a plugin has
   * removed from the response is missing.
   *
   * @param maxHeaders 1 to 1000; 100 by default
   */
  getHeaders: Also<
    (maxHeaders?: number) => Promise<Headers>,
    (maxHeaders?: number) => Promise<[Headers, string]>
  >;
  /** The body. */
  getRawBody(): Promise<Bytes>;
  /**
   * The body, parsed as JSON, a form or multipart.
   *
   * @param mimetype instead of the response's Content-Type
   * @throws PdkError `PDK_FAILED` when the type is another or the body is not of it
   */
  getBody: Also<
    (mimetype?: string, maxArgs?: number) => Promise<unknown>,
    (mimetype?: string, maxArgs?: number) => Promise<string>
  >;
}
