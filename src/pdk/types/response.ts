import type { Also, Done, HeaderFields, Headers, HeaderValue } from './values.js';

/** `kong.response`: the response to the client. */
export interface KongResponse {
  /**
   * The status that the client gets.
   *
   * @phases response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getStatus(): Promise<number>;
  /**
   * One header, the first of its name; undefined if absent, over ProtoBuf:1 also if empty.
   *
   * @phases response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHeader: Also<(name: string) => Promise<string | undefined>, (name: string) => Promise<string>>;
  /**
   * The headers by lower-case name: one value is a string, several are a list.
   *
   * @param maxHeaders 1 to 1000; 100 by default
   * @phases response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getHeaders: Also<
    (maxHeaders?: number) => Promise<Headers>,
    (maxHeaders?: number) => Promise<[Headers, string]>
  >;
  /**
   * Who made the response: the upstream (`service`), a plugin (`exit`), or Kong (`error`).
   *
   * @phases response, log
   * @protocols ProtoBuf:1, MsgPack:1
   */
  getSource(): Promise<'service' | 'exit' | 'error'>;
  /**
   * Sets the status, 100 to 599.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setStatus(status: number): Done;
  /**
   * Sets a header in place of all of its name.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setHeader(name: string, value: HeaderValue): Done;
  /**
   * Adds a header to those of its name.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  addHeader(name: string, value: HeaderValue): Done;
  /**
   * Removes all headers of a name.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  clearHeader(name: string): Done;
  /**
   * Sets several headers.
   *
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1, MsgPack:1
   */
  setHeaders(headers: HeaderFields): Done;
  /**
   * Sends a response and ends the handler: it throws, awaited or not. The upstream and later plugins do not get the
   * request.
   *
   * ```ts
   * if (token === undefined) return kong.response.exit(401, { message: 'no token' });
   * ```
   *
   * @param status 100 to 599
   * @param body text or bytes; an object is sent as JSON
   * @throws HandlerExit always; let it pass in catch blocks
   * @phases rewrite, access, response, preread
   * @protocols ProtoBuf:1, MsgPack:1
   */
  exit(status: number, body?: string | Uint8Array | object | null, headers?: HeaderFields): never;
  /**
   * As `exit`, with Kong's own error body in the format that the client accepts.
   *
   * @param message default: Kong's words for the status
   * @throws HandlerExit always
   * @phases rewrite, access, response
   * @protocols ProtoBuf:1 (built from others), MsgPack:1
   */
  error(status: number, message?: string | object | null, headers?: HeaderFields): never;
}
