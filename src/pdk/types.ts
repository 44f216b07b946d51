import type PdkKong from 'kong-pdk/kong';

type Method = (...args: never[]) => Promise<unknown>;
/** The declared tuple `[value, err]` is Lua's; here the value comes alone and an error is thrown. */
type Value<R> = R extends [infer V, ...unknown[]] ? V : R;
type Corrected<M extends Method> = (...args: Parameters<M>) => Promise<Value<Awaited<ReturnType<M>>>>;
type Corrections<T> = {
  [K in keyof T]: T[K] extends Method ? Corrected<T[K]> : Corrections<T[K]>;
};

type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];
type Headers = Record<string, string | string[]>;
type Query = Record<string, string | true | (string | true)[]>;
type Bytes = string | Uint8Array;

/** What the generated declarations of kong-pdk leave out or get wrong about a few methods. */
interface Refined {
  request: {
    getHeader(name: string): Promise<string | undefined>;
    getHeaders(maxHeaders?: number): Promise<Headers>;
    getQuery(maxArgs?: number): Promise<Query>;
    getQueryArg(name: string): Promise<string | true | undefined>;
    getRawBody(): Promise<Buffer>;
    getBody(mimetype?: string, maxArgs?: number): Promise<unknown>;
    getUriCaptures(): Promise<{ unnamed: string[]; named: Record<string, string> }>;
  };
  response: {
    getHeader(name: string): Promise<string | undefined>;
    getHeaders(maxHeaders?: number): Promise<Headers>;
    setHeader(name: string, value: HeaderValue): Promise<null>;
    addHeader(name: string, value: HeaderValue): Promise<null>;
    setHeaders(headers: Record<string, HeaderValue>): Promise<null>;
    /** Sends the response and ends the handler: the returned promise never resolves. */
    exit(status: number, body?: Bytes | object, headers?: Record<string, HeaderValue>): Promise<never>;
    /** As `exit`, with Kong's own error body in the format that the client accepts. */
    error(status: number, message?: string, headers?: Record<string, HeaderValue>): Promise<never>;
  };
  service: {
    setUpstream(host: string): Promise<boolean>;
    request: {
      setHeader(name: string, value: HeaderValue): Promise<null>;
      addHeader(name: string, value: HeaderValue): Promise<null>;
      setHeaders(headers: Record<string, HeaderValue>): Promise<null>;
      setQuery(args: Record<string, HeaderValue>): Promise<null>;
      setRawBody(body: Bytes): Promise<null>;
      setBody(args: object | string, mimetype?: string): Promise<boolean>;
    };
    response: {
      getHeader(name: string): Promise<string | undefined>;
      getHeaders(maxHeaders?: number): Promise<Headers>;
      getRawBody(): Promise<Buffer>;
    };
  };
  nginx: {
    getVar(name: string): Promise<string | undefined>;
    getCtx(key: string): Promise<unknown>;
    setCtx(key: string, value: unknown): Promise<null>;
  };
  ctx: { shared: { get(key: string): Promise<unknown>; set(key: string, value: unknown): Promise<null> } };
  client: {
    getConsumer(): Promise<Consumer | undefined>;
    loadConsumer(id: string, searchByUsername?: boolean): Promise<Consumer | undefined>;
    getCredential(): Promise<Credential | undefined>;
    authenticate(consumer: Partial<Consumer> | null, credential: Partial<Credential> | null): Promise<null>;
    getProtocol(allowTerminated?: boolean): Promise<string | undefined>;
  };
  router: {
    getRoute(): Promise<Record<string, unknown> | undefined>;
    getService(): Promise<Record<string, unknown> | undefined>;
  };
  log: { serialize(): Promise<string>; setSerializeValue(key: string, value: unknown): Promise<null> };
}

/** A Kong consumer as the PDK hands it out. */
export interface Consumer {
  id: string;
  created_at?: number;
  username?: string;
  custom_id?: string;
  tags?: string[];
}

/** The credential a request was authenticated with. */
export interface Credential {
  id: string;
  consumer_id?: string;
}

type Merge<Base, Over> = Omit<Base, keyof Over> & {
  [K in keyof Over]: K extends keyof Base
    ? Over[K] extends Method
      ? Over[K]
      : Merge<Base[K], Over[K]>
    : Over[K];
};

/**
 * The object every phase handler gets: the surface that `kong-pdk` declares, with the gaps of its generated
 * declarations filled (`import type kong from 'kong-pdk/kong'` types a handler as well).
 *
 * Every method returns a promise. Header, query and body values that are not valid UTF-8 arrive as Latin-1.
 */
export type Kong = Merge<Corrections<PdkKong>, Refined>;
