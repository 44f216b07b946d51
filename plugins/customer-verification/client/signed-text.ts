/** How a signature is made from the signed text. */
export const ALGORITHMS = ['sha256', 'hmac-sha256', 'hmac-sha512'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** The parts of a request that a signature can be bound to, in the order in which they are signed. */
export const BINDABLE = ['method', 'path', 'query', 'body'] as const;
export type Bindable = (typeof BINDABLE)[number];

/** What is signed, beside the key. */
export interface SignedParts {
  /** The value of the header `client-certificate-id`. */
  readonly certificateId: string;
  /** The value of the header `client-request-time`, character by character. */
  readonly time: string;
  /** The request method as it is on the wire: `GET`. */
  readonly method?: string | undefined;
  /** The request target up to the first `?`, as it is on the wire: `/orders/a%20b`. */
  readonly path?: string | undefined;
  /** The request target after the first `?`, as it is on the wire; empty when there is no `?`. */
  readonly query?: string | undefined;
  /** Lower-case hex SHA-256 of the body; that of no bytes when there is no body. */
  readonly bodySha256?: string | undefined;
}

/** Signed text cannot be made of these parts: one is missing or would make the text ambiguous. */
export class SignedTextError extends Error {
  readonly code = 'ERR_SIGNED_TEXT';

  constructor(message: string) {
    super(message);
    this.name = 'SignedTextError';
  }
}

const SEPARATOR = '|';
// Printable ASCII without the space: all that a request target may hold.
const TARGET = /^[\x21-\x7e]*$/;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/**
 * The exact text that is signed; UTF-8 encode it before hashing. docs/signing.md describes it for other languages.
 *
 * - Plain `sha256`, nothing bound: `id|key|time`, and the digest is SHA-256 of the text.
 * - Everything else begins with a line that names algorithm and bound parts, such as `hmac-sha256 method path`, so
 *   that a signature is good for one configuration only.
 * - Behind it `sha256` has `id|key|time`, and `hmac-…` has `id|time`, whose digest is the HMAC of the whole text under
 *   the key. Every bound part follows, each behind a `|`, in the order method, path, query, body.
 *
 * Only the query may hold a `|` as soon as anything but plain `sha256` is in use: every other part then ends where
 * it seems to end, so that no two requests of one customer share a text.
 *
 * @example
 * signedText({ certificateId: 'c1', time: '1', path: '/a' }, 'k1', 'sha256', ['path']); // 'sha256 path\nc1|k1|1|/a'
 *
 * @throws {SignedTextError} naming the part that is missing or not allowed.
 */
export function signedText(
  parts: SignedParts,
  key: string,
  algorithm: Algorithm = 'sha256',
  bind: readonly Bindable[] = [],
): string {
  const { certificateId, time } = parts;
  const withKey = algorithm === 'sha256';
  const who = withKey ? `${certificateId}|${key}|${time}` : `${certificateId}|${time}`;
  // No header holds a line break: were one allowed, an id could pass for the first line of another configuration.
  if (certificateId.includes('\n')) throw new SignedTextError('the certificate id holds a line break');
  if (withKey && bind.length === 0) return who;
  refuseSeparator('certificate id', certificateId);
  refuseSeparator('time', time);
  let first: string = algorithm;
  let bound = '';
  for (const name of BINDABLE) {
    if (!bind.includes(name)) continue;
    first += ` ${name}`;
    bound += SEPARATOR + boundPart(name, parts);
  }
  return `${first}\n${who}${bound}`;
}

/** Splits a request target at its first `?`; both halves are left as they are. */
export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

function boundPart(name: Bindable, parts: SignedParts): string {
  const value = name === 'body' ? parts.bodySha256 : parts[name];
  if (value === undefined)
    throw new SignedTextError(`the signature is bound to the ${name}, which is missing`);
  switch (name) {
    case 'method':
      refuseSeparator('method', value);
      break;
    case 'path':
      refuseSeparator('path', value);
      refuseOutsideTarget('path', value);
      break;
    case 'query':
      refuseOutsideTarget('query', value);
      break;
    case 'body':
      if (!SHA256_HEX.test(value)) throw new SignedTextError('the body digest is not lower-case hex SHA-256');
  }
  return value;
}

function refuseSeparator(name: string, value: string): void {
  if (value.includes(SEPARATOR))
    throw new SignedTextError(`the ${name} holds a "|" (in a path, write it as %7C)`);
}

// Bytes outside ASCII have no one spelling as text: two of them could read as one character.
function refuseOutsideTarget(name: string, value: string): void {
  if (!TARGET.test(value))
    throw new SignedTextError(`the ${name} holds characters that must be percent-encoded`);
}
