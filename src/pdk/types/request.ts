import type { Also, Bytes, Headers, Query, UriCaptures } from './values.js';

/** `kong.request`: the request as the client sent it. Values that are no UTF-8 arrive as Latin-1. */
export interface KongRequest {
  /** The scheme that the client used: `http` or `https`. */
  getScheme(): Promise<string>;
  /** The host that the client asked for: the Host header without its port, in lower case. */
  getHost(): Promise<string>;
  /** The port of Kong's that the client connected to. */
  getPort(): Promise<number>;
  /** The scheme in `X-Forwarded-Proto`, where a trusted address sent it; the client's otherwise. */
  getForwardedScheme(): Promise<string>;
  /** The host in `X-Forwarded-Host`, where a trusted address sent it; the client's otherwise. */
  getForwardedHost(): Promise<string>;
  /** The port in `X-Forwarded-Port`, where a trusted address sent it; Kong's otherwise. */
  getForwardedPort(): Promise<number>;
  /** The path in `X-Forwarded-Path`, where a trusted address sent it; the client's otherwise. */
  getForwardedPath(): Promise<string>;
  /**
   * The prefix in `X-Forwarded-Prefix`, where a trusted address sent it; the part of the path that the route strips
   * otherwise, undefined where it strips nothing.
   */
  getForwardedPrefix: Also<() => Promise<string | undefined>, () => Promise<string>>;
  /** The HTTP version, such as `1.1` or `2`. */
  getHttpVersion(): Promise<number>;
  /** The method, in upper case. */
  getMethod(): Promise<string>;
  /** The path, normalised, without the query. */
  getPath(): Promise<string>;
  /** The path as it was sent, without the query. */
  getRawPath(): Promise<string>;
  /** The path as it was sent, with `?` and the query if there is one. */
  getPathWithQuery(): Promise<string>;
  /** The query as it was sent, without `?`; empty if there is none. */
  getRawQuery(): Promise<string>;
  /** One query argument, the first of its name among the first 100: undefined if absent, `true` without a value. */
  getQueryArg: Also<(name: string) => Promise<string | true | undefined>, () => Promise<string>>;
  /**
   * The query arguments, decoded: one value is a string, several are a list, one without a value is `true`.
   *
   * @param maxArgs 1 to 1000; 100 by default, what comes behind is left out
   */
  getQuery(maxArgs?: number): Promise<Query>;
  /**
   * One header, the first of its name; undefined if absent, over ProtoBuf:1 also if empty.
   *
   * @param name in any case; `_` stands for `-`, too
   */
  getHeader: Also<(name: string) => Promise<string | undefined>, (name: string) => Promise<string>>;
  /**
   * The headers by lower-case name: one value is a string, several are a list.
   *
   * @param maxHeaders 1 to 1000; 100 by default, what comes behind is left out
   */
  getHeaders(maxHeaders?: number): Promise<Headers>;
  /**
   * The body, empty if there is none. One above nginx's buffer is read from its file, which over MsgPack:1 Kong refuses.
   *
   * @throws PdkError `PDK_FAILED` when the file cannot be read
   */
  getRawBody: Also<() => Promise<Bytes>, () => Promise<[Bytes, string]>>;
  /**
   * The body, parsed as JSON, a form or multipart.
   *
   * @param mimetype instead of the request's Content-Type
   * @param maxArgs of a form, 1 to 1000; 100 by default
   * @throws PdkError `PDK_FAILED` when the type is another or the body is not of it
   */
  getBody: Also<
    (mimetype?: string, maxArgs?: number) => Promise<unknown>,
    (mimetype?: string, maxArgs?: number, maxFileSize?: number) => Promise<[object, string, string]>
  >;
  /** When Kong began with the request, in Unix milliseconds. */
  getStartTime(): Promise<number>;
  /** What the route's regular expression has captured of the path; nothing for other routes. */
  getUriCaptures(): Promise<UriCaptures>;
}
