/** RFC 3986's reserved characters and "%": percent-encoded ones stay encoded when a path is normalised. */
const RESERVED = new Set("!#$%&'()*+,/:;=?@[]");

/**
 * The path as Kong matches it: everything but reserved characters percent-decoded (into bytes), the hexadecimal
 * digits of the rest in upper case, dot segments resolved and runs of slashes merged.
 */
export function normalizePath(path: string): string {
  const decoded = path.replace(/%([0-9a-fA-F]{2})/g, (encoded, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return RESERVED.has(char) ? encoded.toUpperCase() : char;
  });
  const output: string[] = [];
  const segments = decoded.split('/');
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '' || segment === '.') {
      continue;
    }
    if (segment === '..') {
      output.pop();
      continue;
    }
    output.push(segment);
    if (last) {
      return `/${output.join('/')}`;
    }
  }
  return output.length === 0 ? '/' : `/${output.join('/')}/`;
}

/** Percent-encodes the bytes that may not stand in a request line; what is encoded already stays as it is. */
export function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~!#$%&'()*+,/:;=?@[\]]/g, percentEncode);
}

/** The bytes behind every `%XX`. */
export function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `%XX` of one byte. */
export function percentEncode(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/**
 * The upstream's path under Kong's `path_handling: v0`.
 *
 * @param base the service's path, `/` when it has none
 * @param requestPath the normalised path of the request
 * @param matched the part of it that the route's path matched; undefined when nothing is stripped
 */
export function upstreamPath(base: string, requestPath: string, matched: string | undefined): string {
  const trimmed = base.endsWith('/') ? base.slice(0, -1) : base;
  if (matched === undefined) {
    return requestPath === '/' && !base.endsWith('/') ? base : trimmed + requestPath;
  }
  const rest = requestPath.slice(matched.length);
  if (rest === '') {
    const slash = requestPath.length > 1 && requestPath.endsWith('/');
    return slash || trimmed === '' ? `${trimmed}/` : trimmed;
  }
  return rest.startsWith('/') ? trimmed + rest : `${trimmed}/${rest}`;
}
