import type { HeaderMap } from './headers.js';

/** The header that tells the upstream who the customer is, as header maps spell it. */
export const CUSTOMER_HEADER = 'x-customer-id';

/** What Kong's authentication plugins and `acl` tell the upstream of a consumer, current and former names. */
export const CONSUMER_HEADERS = [
  'x-consumer-id',
  'x-consumer-custom-id',
  'x-consumer-username',
  'x-consumer-groups',
  'x-credential-identifier',
  'x-credential-username',
  'x-anonymous-consumer',
  'x-authenticated-groups',
] as const;

/** The most headers that Kong hands out. */
export const MAX_HEADERS = 1000;

/** What the headers of one request hold beside the credentials. */
export interface Survey {
  /** False when there may be more headers than Kong handed out: a repeated one could hide behind the limit. */
  readonly complete: boolean;
  /** A `Connection` header names an identity header: Kong would drop it after this plugin has set it. */
  readonly dropped: boolean;
  /** The request says that it is one of gRPC's, whose clients read no JSON. */
  readonly grpc: boolean;
  /** Identity headers that the client sent, spelled as it did, but for `x-customer-id` itself. */
  readonly sent: readonly string[];
}

const NONE: readonly string[] = [];
// What a Connection header says usually.
const HARMLESS = new Set(['keep-alive', 'close', 'upgrade', 'Upgrade', 'keep-alive, Upgrade']);

/**
 * Looks for headers by which a client could pass for somebody, in the spellings that an upstream may take for them:
 * CGI and WSGI read `_` as `-`.
 */
export class IdentityHeaders {
  readonly #names: ReadonlySet<string>;
  /** By length: whether any name has it. */
  readonly #lengths: readonly boolean[];

  /** @param names in lower case, with `-` */
  constructor(names: readonly string[]) {
    this.#names = new Set(names);
    const lengths: boolean[] = new Array(1 + Math.max(...names.map((name) => name.length))).fill(false);
    for (const { length } of names) lengths[length] = true;
    this.#lengths = lengths;
  }

  survey(headers: HeaderMap): Survey {
    let count = 0;
    let sent: string[] | undefined;
    for (const name in headers) {
      const value = headers[name];
      count += typeof value === 'object' ? value.length : 1;
      if (
        this.#lengths[name.length] === true &&
        name !== CUSTOMER_HEADER &&
        this.#names.has(hyphenated(name))
      ) {
        sent ??= [];
        sent.push(name);
      }
    }
    const dropped = headers.connection !== undefined && this.#isNamedIn(headers.connection);
    const type = headers['content-type'];
    const grpc = type !== undefined && String(type).startsWith('application/grpc');
    return { complete: count < MAX_HEADERS, dropped, grpc, sent: sent ?? NONE };
  }

  // RFC 9110, section 7.6.1. Whatever is no part of a name separates: this must see a name in all that Kong could.
  #isNamedIn(connection: string | readonly string[]): boolean {
    if (typeof connection === 'object') return connection.some((value) => this.#isNamedIn(value));
    if (HARMLESS.has(connection)) return false;
    return hyphenated(connection)
      .split(/[^a-z0-9-]+/)
      .some((token) => this.#names.has(token));
  }
}

function hyphenated(name: string): string {
  return name.replaceAll('_', '-').toLowerCase();
}
