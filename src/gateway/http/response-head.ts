import { HeaderList } from './header-list.js';

/** What the gateway calls itself, as the Kong whose behaviour it plays. */
export const KONG_TOKEN = 'kong/3.9.1';

/** Content types that nginx's `charset UTF-8` applies to. */
const CHARSET_TYPES = new Set([
  'text/html',
  'text/xml',
  'text/plain',
  'text/vnd.wap.wml',
  'application/javascript',
  'application/rss+xml',
]);

/** How a response's body is delimited: its length, chunks, the connection's end or not at all. */
export type BodyFraming = { length: number } | 'chunked' | 'close' | 'none';

/**
 * The head of a response in nginx's order: Date (where the upstream sent none), Content-Type, Transfer-Encoding,
 * Connection, and then everything else as it was added.
 *
 * @param headers without Connection and Transfer-Encoding
 * @returns name, value, name, value… for node's writeHead
 */
export function composeHead(
  headers: HeaderList,
  options: { connection: string; framing: BodyFraming },
): string[] {
  const rest = headers.clone();
  const head = new HeaderList();
  if (!rest.has('date')) {
    head.append('Date', new Date().toUTCString());
  }
  const type = rest.get('content-type');
  if (type !== undefined) {
    rest.remove('content-type');
    head.append('Content-Type', withCharset(type, rest.has('content-encoding')));
  }
  if (options.framing === 'chunked') {
    head.append('Transfer-Encoding', 'chunked');
  }
  head.append('Connection', options.connection);
  return [...head.toRaw(), ...rest.toRaw()];
}

function withCharset(type: string, encoded: boolean): string {
  const bare = type.trim().toLowerCase();
  return !encoded && CHARSET_TYPES.has(bare) ? `${type.trim()}; charset=UTF-8` : type;
}
