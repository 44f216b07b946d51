/** What a call without a result resolves to, at once. */
export type Done = Promise<null>;

/** Where the program knows Node's Buffer, a Buffer; a Uint8Array with its `toString` otherwise. */
export type Bytes = typeof globalThis extends { Buffer: { alloc(size: number): infer B } }
  ? B
  : Uint8Array & { toString(encoding?: string): string };

/** A header to be set: several values make several lines; null and undefined in a list are left out. */
export type HeaderValue = HeaderText | readonly (HeaderText | null | undefined)[];

type HeaderText = string | number | boolean | Uint8Array;

/** Headers to be set, by name; null and undefined are left out. */
export type HeaderFields = Readonly<Record<string, HeaderValue | null | undefined>>;

/** Headers as Kong has received them: by lower-case name, one value as a string, several as a list. */
export type Headers = Record<string, string | string[]>;

/** Query arguments as Kong has received them; `true` for one without a value. */
export type Query = Record<string, string | true | (string | true)[]>;

/** A consumer as Kong knows it. Times in Unix seconds. */
export interface Consumer {
  id: string;
  created_at?: number;
  username?: string;
  custom_id?: string;
  tags?: string[];
}

/** The credential that a request was authenticated with. */
export interface Credential {
  id: string;
  consumer_id?: string;
}

/** The route that a request has matched. What is not set is absent. Times in Unix seconds. */
export interface Route {
  id: string;
  name?: string;
  created_at?: number;
  updated_at?: number;
  protocols?: string[];
  methods?: string[];
  hosts?: string[];
  paths?: string[];
  headers?: unknown;
  https_redirect_status_code?: number;
  regex_priority?: number;
  strip_path: boolean;
  preserve_host: boolean;
  snis?: string[];
  sources?: unknown[];
  destinations?: unknown[];
  tags?: string[];
  service?: { id: string };
}

/** The service of the matched route. What is not set is absent. Times in Unix seconds, timeouts in milliseconds. */
export interface Service {
  id: string;
  name?: string;
  created_at?: number;
  updated_at?: number;
  protocol: string;
  host: string;
  port: number;
  path?: string;
  retries?: number;
  connect_timeout?: number;
  write_timeout?: number;
  read_timeout?: number;
  tags?: string[];
  client_certificate?: { id: string };
}

/** What Kong's node uses, in bytes. */
export interface MemoryStats {
  lua_shared_dicts: Record<string, { allocated_slabs: number; capacity: number }>;
  workers_lua_vms: { http_allocated_gc: number; pid: number }[];
}

/** The parts of a path that the route's regular expression has captured. */
export interface UriCaptures {
  unnamed: string[];
  named: Record<string, string>;
}

/** The parts of `{vault://NAME/RESOURCE/KEY?CONFIG#VERSION}`. */
export interface VaultReference {
  readonly name: string;
  readonly resource: string;
  readonly key?: string;
  readonly config?: Record<string, string | true>;
  readonly version?: number;
}

/**
 * A function `F` of this package that kong-pdk declares as `G`: a call is typed by `F` alone, and where kong-pdk's
 * function is asked for, this one can be given.
 */
export interface Also<F extends (...args: never[]) => unknown, G extends (...args: never[]) => unknown> {
  (...args: Parameters<F>): ReturnType<F>;
  // Nothing can be called with such a `this`, so no call is ever typed by it.
  (this: never, ...args: Parameters<G>): ReturnType<G>;
  // Once more, since `ReturnType` looks at the last signature.
  (...args: Parameters<F>): ReturnType<F>;
}
