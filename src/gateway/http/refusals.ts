import type { Exchange } from '../exchange.js';
import { percentDecode } from '../router/path.js';
import { utf8 } from '../router/rust-regex.js';

/** nginx's buffer for the request line and for each header line, and how many of them it has. */
const LINE_BYTES = 8192;
const BUFFERS = 4;

/**
 * The status with which nginx answers before any plugin sees the request, or undefined. 494 is nginx's own for a
 * header that is too large; clients get it as 400.
 */
export function refusalOf(exchange: Exchange): number | undefined {
  const { originalMethod: method, httpVersion, rawTarget, headers, rawPath } = exchange;
  if (httpVersion === '0.9') return 400;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 505;
  if (method.length + rawTarget.length + ' HTTP/1.1\r\n'.length + 1 > LINE_BYTES) return 414;
  const lines = headers.lines.map(([name, value]) => name.length + value.length + 4);
  if (lines.some((bytes) => bytes > LINE_BYTES)) return 494;
  if (lines.reduce((sum, bytes) => sum + bytes, 0) > BUFFERS * LINE_BYTES) return 494;
  if (!isHost(headers.getAll('host'), httpVersion)) return 400;
  if (!rawTarget.startsWith('/') && !exchange.absolute && !(method === 'OPTIONS' && rawTarget === '*'))
    return 400;
  if (!isPath(rawPath)) return 400;
  if (method === 'TRACE' || method === 'CONNECT') return 405;
  const coding = headers.get('transfer-encoding');
  return coding !== undefined && coding.trim().toLowerCase() !== 'chunked' ? 501 : undefined;
}

function isHost(values: readonly string[], httpVersion: string): boolean {
  if (values.length === 0) return httpVersion === '1.0';
  const [host = ''] = values;
  return values.length === 1 && /^[^:/\\\s]/.test(host) && !/[/\s]|\.\./.test(host);
}

/** Percent escapes in order, nothing above the root, no NUL, and UTF-8. */
function isPath(path: string): boolean {
  if (/%(?![0-9a-f]{2})|%00/i.test(path)) return false;
  const bytes = percentDecode(path);
  let depth = 0;
  for (const segment of bytes.split('/')) {
    if (segment === '..') depth -= 1;
    else if (segment !== '' && segment !== '.') depth += 1;
    if (depth < 0) return false;
  }
  return utf8(bytes) !== undefined;
}
