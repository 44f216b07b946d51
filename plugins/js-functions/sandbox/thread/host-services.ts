import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';

/** What a service answers: JSON for a string result, bytes for binary. */
type ServiceAnswer = { readonly json: unknown } | { readonly bytes: Uint8Array };

type Service = (args: readonly unknown[], bytes: readonly Uint8Array[]) => ServiceAnswer;

/** More pairs of a query than this are refused: the host takes many times their text for them. */
const MOST_PAIRS = 10_000;

/** An error whose text may be shown to guest code, as an error of that name. */
class ServiceError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

const HASHES = new Set(['sha1', 'sha256', 'sha384', 'sha512']);
const ENCODINGS = new Set<BufferEncoding>(['utf8', 'utf-8', 'hex', 'base64', 'base64url', 'latin1']);
const URL_SETTERS = new Set(
  'href protocol username password host hostname port pathname search hash'.split(' '),
);
const NO_BYTES = new Uint8Array();

const json = (value: unknown): ServiceAnswer => ({ json: value });

/** The utilities that guest code has from the host: text and bytes in, text and bytes out, nothing kept. */
const SERVICES: Readonly<Record<string, Service>> = {
  'bytes.toString': ([encoding], [bytes]) => {
    if (!ENCODINGS.has(encoding as BufferEncoding)) {
      throw new ServiceError('RangeError', `unknown encoding ${String(encoding)}`);
    }
    return json(buffer(bytes).toString(encoding as BufferEncoding));
  },
  'text.encode': ([text]) => ({ bytes: Buffer.from(String(text), 'utf8') }),
  'text.label': ([label]) => {
    try {
      return json(new TextDecoder(String(label)).encoding);
    } catch {
      throw new ServiceError('RangeError', `unknown encoding ${String(label)}`);
    }
  },
  'text.decode': ([label, fatal, ignoreBOM], [bytes]) => {
    try {
      const decoder = new TextDecoder(String(label), {
        fatal: fatal === true,
        ignoreBOM: ignoreBOM === true,
      });
      return json(decoder.decode(bytes ?? NO_BYTES));
    } catch {
      throw new ServiceError('TypeError', `the bytes are not valid ${String(label)}`);
    }
  },
  'base64.decode': ([text]) => {
    try {
      return json(atob(String(text)));
    } catch {
      throw new ServiceError('InvalidCharacterError', 'the text is not valid base64');
    }
  },
  'base64.encode': ([text]) => {
    try {
      return json(btoa(String(text)));
    } catch {
      throw new ServiceError('InvalidCharacterError', 'the text has characters above U+00FF');
    }
  },
  'query.parse': ([text]) => {
    const pairs = String(text).split('&', MOST_PAIRS + 2).length;
    if (pairs > MOST_PAIRS) throw new ServiceError('RangeError', `more than ${MOST_PAIRS} pairs in a query`);
    return json([...new URLSearchParams(String(text))]);
  },
  'query.stringify': ([pairs]) => json(new URLSearchParams(pairs as [string, string][]).toString()),
  'url.parse': ([input, base]) => json(urlParts(parseUrl(input, base))),
  'url.set': ([href, name, value]) => {
    const url = parseUrl(href);
    if (URL_SETTERS.has(String(name))) {
      try {
        url[name as 'href'] = String(value);
      } catch {
        throw new ServiceError('TypeError', 'Invalid URL');
      }
    }
    return json(urlParts(url));
  },
  'crypto.uuid': () => json(randomUUID()),
  'crypto.random': ([count]) => ({ bytes: randomBytes(Math.min(Number(count), 65_536)) }),
  'crypto.hash': ([algorithm], [data]) => ({
    bytes: createHash(knownHash(algorithm))
      .update(data ?? NO_BYTES)
      .digest(),
  }),
  'crypto.hmac': ([algorithm], [key, data]) => ({
    bytes: createHmac(knownHash(algorithm), key ?? NO_BYTES)
      .update(data ?? NO_BYTES)
      .digest(),
  }),
  // As node:crypto's, but different lengths are unequal instead of an error: a signature of the wrong length is wrong.
  'crypto.equal': (_args, [a, b]) =>
    json(a !== undefined && b !== undefined && a.length === b.length && timingSafeEqual(a, b)),
};

/**
 * Performs one service for guest code.
 *
 * @param argsJson a JSON array; undefined when it was too long to be taken
 * @returns bytes, or JSON text: `{"v": result}`, or `{"e": [name, message]}` for an error that guest code is to get
 */
export function performService(
  operation: string,
  argsJson: string | undefined,
  bytes: readonly Uint8Array[],
): Uint8Array | string {
  try {
    if (argsJson === undefined) throw new ServiceError('RangeError', 'the text is too long for this sandbox');
    const service = Object.hasOwn(SERVICES, operation) ? SERVICES[operation] : undefined;
    if (service === undefined) throw new ServiceError('TypeError', 'no such operation');
    const answer = service(JSON.parse(argsJson) as unknown[], bytes);
    return 'bytes' in answer ? answer.bytes : JSON.stringify({ v: answer.json });
  } catch (error) {
    const [name, message] =
      error instanceof ServiceError ? [error.name, error.message] : ['Error', 'the operation failed'];
    return JSON.stringify({ e: [name, message] });
  }
}

function buffer(bytes: Uint8Array = NO_BYTES): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parseUrl(input: unknown, base?: unknown): URL {
  try {
    return new URL(String(input), base === undefined ? undefined : String(base));
  } catch {
    throw new ServiceError('TypeError', 'Invalid URL');
  }
}

function urlParts(url: URL): Record<string, string> {
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
  return { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash };
}

function knownHash(algorithm: unknown): string {
  const name = String(algorithm).toLowerCase().replace('sha-', 'sha');
  if (!HASHES.has(name)) {
    throw new ServiceError('RangeError', `unknown hash ${name}; known are ${[...HASHES].join(', ')}`);
  }
  return name;
}
