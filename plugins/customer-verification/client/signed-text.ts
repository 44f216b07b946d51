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
 * - `sha256`: `id|key|time`, and the digest is SHA-256 of the text.
 * - `hmac-…`: `id|time`, and the digest is the HMAC of the text under the key.
 * - every bound part follows, each behind a `|`, in the order method, path, query, body.
 *
 * Only the query may hold a `|` as soon as anything but plain `sha256` is in use: every other part then ends where
 * it seems to end, so that no two requests of one customer share a text.
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
  const plain = algorithm === 'sha256';
  const head = plain ? `${certificateId}|${key}|${time}` : `${certificateId}|${time}`;
  if (plain && bind.length === 0) return head;
  refuseSeparator('certificate id', certificateId);
  refuseSeparator('time', time);
  let text = head;
  for (const name of BINDABLE) {
    if (bind.includes(name)) text += SEPARATOR + boundPart(name, parts);
  }
  return text;
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
