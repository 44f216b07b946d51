import type { IncomingHttpHeaders } from 'node:http';

/** Nothing but the page's own files and its own server. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** A header that no web page elsewhere can send without being asked about by its browser, which gets no answer. */
export const OWN_HEADER = 'x-kong-ts-inspector';

/**
 * Why a request is refused; undefined: it is not.
 *
 * `Host` has to name this machine's loopback and our port, so that a foreign name that points here (DNS rebinding) gets
 * nothing. `Origin` and `Sec-Fetch-Site`, where a browser sends them, have to be our own. What sends requests or shows
 * credentials (`isGuarded`) needs {@link OWN_HEADER}, too.
 */
export function refusal(
  headers: IncomingHttpHeaders,
  port: number,
  isApi: boolean,
  isGuarded: boolean,
): string | undefined {
  const { host = '', origin } = headers;
  const own = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (port === 80) own.push('127.0.0.1', 'localhost');
  if (!own.includes(host.toLowerCase())) return 'the Host is not this inspector';
  if (origin !== undefined && origin !== `http://${host.toLowerCase()}`)
    return 'the Origin is not this inspector';
  const site = headers['sec-fetch-site'];
  if (isApi && site !== undefined && site !== 'same-origin' && site !== 'none')
    return 'it comes from another site';
  if (isGuarded && headers[OWN_HEADER] !== '1') return `the header ${OWN_HEADER} is missing`;
  return undefined;
}
