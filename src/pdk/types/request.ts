import type { Also, Bytes, Headers, Query, UriCaptures } from './values.js';

/** `kong.request`: the request as the client sent it. Values that are no UTF-8 arrive as Latin-1. */
export interface KongRequest {
  /**
   * The scheme that the client used: `http` or `https`.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getScheme(): Promise<string>;
  /**
   * The host that the client asked for: the Host header without its port, in lower case.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHost(): Promise<string>;
  /**
   * The port of Kong's that the client connected to.
   *
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getPort(): Promise<number>;
  /**
   * The scheme in `X-Forwarded-Proto`, where a trusted address sent it; the client's otherwise.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getForwardedScheme(): Promise<string>;
  /**
   * The host in `X-Forwarded-Host`, where a trusted address sent it; the client's otherwise.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getForwardedHost(): Promise<string>;
  /**
   * The port in `X-Forwarded-Port`, where a trusted address sent it; Kong's otherwise.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getForwardedPort(): Promise<number>;
  /**
   * The path in `X-Forwarded-Path`, where a trusted address sent it; the client's otherwise.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getForwardedPath(): Promise<string>;
  /**
   * The prefix in `X-Forwarded-Prefix`, where a trusted address sent it; the part of the path that the route strips
   * otherwise, undefined where it strips nothing.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getForwardedPrefix: Also<() => Promise<string | undefined>, () => Promise<string>>;
  /**
   * The HTTP version, such as `1.1` or `2`.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHttpVersion(): Promise<number>;
  /**
   * The method, in upper case.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getMethod(): Promise<string>;
  /**
   * The path, normalised, without the query.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getPath(): Promise<string>;
  /**
   * The path as it was sent, without the query.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getRawPath(): Promise<string>;
  /**
   * The path as it was sent, with `?` and the query if there is one.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getPathWithQuery(): Promise<string>;
  /**
   * The query as it was sent, without `?`; empty if there is none.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getRawQuery(): Promise<string>;
  /**
   * One query argument, the first of its name among the first 100: undefined if absent, `true` without a value.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getQueryArg: Also<(name: string) => Promise<string | true | undefined>, () => Promise<string>>;
  /**
   * The query arguments, decoded: one value is a string, several are a list, one without a value is `true`.
   *
   * @param maxArgs 1 to 1000; 100 by default, what comes behind is left out
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getQuery(maxArgs?: number): Promise<Query>;
  /**
   * One header, the first of its name; undefined if absent, over ProtoBuf:1 also if empty.
   *
   * @param name in any case; `_` stands for `-`, too
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHeader: Also<(name: string) => Promise<string | undefined>, (name: string) => Promise<string>>;
  /**
   * The headers by lower-case name: one value is a string, several are a list.
   *
   * @param maxHeaders 1 to 1000; 100 by default, what comes behind is left out
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHeaders(maxHeaders?: number): Promise<Headers>;
  /**
   * The body, empty if there is none. One above nginx's buffer is read from its file, which over MsgPack:1 Kong refuses.
   *
   * @throws PdkError `PDK_FAILED` when the file cannot be read
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getRawBody: Also<() => Promise<Bytes>, () => Promise<[Bytes, string]>>;
  /**
   * The body, parsed as JSON, a form or multipart.
   *
   * @param mimetype instead of the request's Content-Type
   * @param maxArgs of a form, 1 to 1000; 100 by default
   * @throws PdkError `PDK_FAILED` when the type is another or the body is not of it
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getBody: Also<
    (mimetype?: string, maxArgs?: number) => Promise<unknown>,
    (mimetype?: string, maxArgs?: number, maxFileSize?: number) => Promise<[object, string, string]>
  >;
  /**
   * When Kong began with the request, in Unix milliseconds.
   *
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  getStartTime(): Promise<number>;
  /**
   * What the route's regular expression has captured of the path; nothing for other routes.
   *
   * @phases rewrite, access, response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getUriCaptures(): Promise<UriCaptures>;
}
