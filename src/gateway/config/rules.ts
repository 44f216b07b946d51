import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { normalizePath } from '../router/path.js';
import { headerRegexFault, regexFault } from '../router/rust-regex.js';

/** A rule of Kong's for one value: the words for a value that breaks it. */
export type Rule = (value: string) => string | undefined;

type HostKind = 'name' | 'ipv4' | 'ipv6';

/** A host with an optional port, told apart as Kong does it; undefined when it is no host. */
export function parseHost(
  text: string,
): { kind: HostKind; host: string; port: number | undefined } | undefined {
  const colons = text.split(':').length - 1;
  if (colons > 1) {
    const bracketed = /^\[(.*)\](?::(\d+))?$/.exec(text);
    const port = bracketed?.[2] === undefined ? undefined : Number(bracketed[2]);
    const host = bracketed?.[1] ?? text;
    return isIP(host) === 6 && !host.includes('%') && (port ?? 0) <= 65_535
      ? { kind: 'ipv6', host, port }
      : undefined;
  }
  const [, host = text, digits] = /^(.*):(\d+)$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if ((port ?? 0) > 65_535) return undefined;
  if (/^[\d.]+$/.test(text.replace(':', ''))) {
    const parts = host.split('.');
    const valid = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
    return valid ? { kind: 'ipv4', host, port } : undefined;
  }
  const labels = host.split('.');
  const valid =
    /^[\w.-]+$/.test(host) &&
    labels.every((label, index) => !label.endsWith('-') && (label !== '' || index === labels.length - 1));
  return valid ? { kind: 'name', host, port } : undefined;
}

const tooLargePort = (text: string) => /:(\d+)$/.test(text) && Number(/:(\d+)$/.exec(text)?.[1]) > 65_535;

function hostWithoutPort(text: string, shown: string): string | undefined {
  if (tooLargePort(text)) return 'must not have a port';
  const parsed = parseHost(text);
  if (parsed === undefined) return `invalid value: ${shown}`;
  return parsed.port === undefined ? undefined : 'must not have a port';
}

/** The host of a service, of Redis and the like. */
export const host: Rule = (text) => hostWithoutPort(text, text);

/** A host that may have a port. */
export const hostWithPort: Rule = (text) =>
  parseHost(text) === undefined ? `invalid hostname: ${text}` : undefined;

/** An entry of a route's `hosts`, whose place of the wildcard the schema checks. */
export const routeHost: Rule = (text) => hostWithPort(text.replaceAll('*', 'abc'));

/** The name of an upstream. */
export const upstreamName: Rule = (text) => {
  const parsed = parseHost(text);
  if (parsed === undefined) return `Invalid name ('${text}'); must be a valid hostname`;
  if (parsed.kind !== 'name') return `Invalid name ('${text}'); no ip addresses allowed`;
  return parsed.port === undefined ? undefined : `Invalid name ('${text}'); no port allowed`;
};

/** Where a target of an upstream is. */
export const target: Rule = (text) =>
  parseHost(text) === undefined
    ? `Invalid target ('${text}'); not a valid hostname or ip address`
    : undefined;

/** A server name of TLS. */
export const sni: Rule = (text) =>
  parseHost(text)?.kind.startsWith('ip') === true ? 'must not be an IP' : hostWithoutPort(text, text);

/** A server name with at most one wildcard, at either end. */
export const wildcardSni: Rule = (text) => {
  const star = text.indexOf('*');
  if (star > 0 && star < text.length - 1) return 'wildcard must be leftmost or rightmost character';
  if (text.split('*').length > 2) return 'only one wildcard must be specified';
  const fault = sni(text.replace('*', 'wildcard'));
  return fault?.startsWith('invalid value') === true ? `invalid value: ${text}` : fault;
};

/** `1.2.3.4`, `::1`, and with a prefix length. */
export const ipOrCidr: Rule = (text) => {
  const [, address = text, bits] = /^(.+)\/(\d+)$/.exec(text) ?? [];
  const version = isIP(address);
  const valid = version !== 0 && (bits === undefined || Number(bits) <= (version === 4 ? 32 : 128));
  return valid ? undefined : `invalid ip or cidr range: '${text}'`;
};

const PATH = /^\/[\w.\-~/%:@!$&'()*+,;=]*$/;

/** A path of RFC 3986, properly percent-encoded. */
export const path: Rule = (text) => {
  if (!PATH.test(text)) {
    return `invalid path: '${text}' (characters outside of the reserved list of RFC 3986 found)`;
  }
  return percentFault(text);
};

function percentFault(text: string): string | undefined {
  const bad = /%.?.?/.exec(text.replace(/%[0-9a-f]{2}/gi, '___'));
  return bad === null ? undefined : `invalid url-encoded value: '${bad[0]}'`;
}

/** An entry of a route's `paths`. */
export const routePath: Rule = (text) => {
  // Kong looks at the percent signs of a path only when its characters are in order.
  const encoding = PATH.test(text) ? percentFault(text) : undefined;
  if (encoding !== undefined) return encoding;
  if (text.startsWith('~')) return regexFault(text.slice(1));
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const normalized = normalizePath(bytes);
  if (normalized === bytes) return undefined;
  const shown = Buffer.from(normalized, 'latin1').toString('utf8');
  return `non-normalized path, consider use '${shown}' instead`;
};

/** A URL with scheme and host. */
export const url: Rule = (text) => {
  if (!/^[a-z][\w+.-]*:\/\/[^/?#]/i.test(text)) return `cannot parse '${text}'`;
  return text.includes('#') ? `fragment not allowed in '${text}'` : undefined;
};

/** The name of a header. */
export const headerName: Rule = (text) =>
  /^[\w-]+$/.test(text)
    ? undefined
    : `bad header name '${text}', allowed characters are A-Z, a-z, 0-9, '_', and '-'`;

/** A value of a route's `headers`, which may be an expression behind `~*`. Kong puts it into lower case first. */
export const headerValue: Rule = (text) =>
  text.startsWith('~*') ? headerRegexFault(text.slice(2).toLowerCase()) : undefined;

/** The name of a cookie: a token of RFC 2616. */
export const cookieName: Rule = (text) =>
  /^[\w!#$%&'*+\-.^`|~]+$/.test(text) ? undefined : `invalid cookie name '${text}'`;

const NAME = /^[\w.\-~\u0080-\u{10ffff}]+$/u;

/** The name of a service, route or plugin instance. */
export const utf8Name: Rule = (text) =>
  NAME.test(text)
    ? undefined
    : `invalid value '${text}': the only accepted ascii characters are alphanumerics or ., -, _, and ~`;

/** A tag. */
export const tag: Rule = (text) =>
  /^[ -+\-.0-~\u0080-\u{10ffff}]+$/u.test(text)
    ? undefined
    : `invalid tag '${text}': expected printable ascii (except \`,\` and \`/\`) or valid utf-8 sequences`;

function attempt(parse: () => unknown, what: string): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return `invalid ${what}: ${(error as Error).message}`;
  }
}

/** A certificate as PEM. */
export const certificate: Rule = (text) => attempt(() => new X509Certificate(text), 'certificate');

/** A private key as PEM. */
export const privateKey: Rule = (text) => attempt(() => createPrivateKey(text), 'key');

/** A public key as PEM. */
export const publicKey: Rule = (text) => attempt(() => createPublicKey(text), 'key');
