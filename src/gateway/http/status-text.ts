import { STATUS_CODES } from 'node:http';

/** Statuses whose reason phrase nginx spells otherwise than node. */
const NGINX_SPELLING: ReadonlyMap<number, string> = new Map([
  [302, 'Moved Temporarily'],
  [408, 'Request Time-out'],
  [413, 'Request Entity Too Large'],
  [414, 'Request-URI Too Large'],
  [416, 'Requested Range Not Satisfiable'],
  [503, 'Service Temporarily Unavailable'],
  [504, 'Gateway Time-out'],
  [505, 'HTTP Version Not Supported'],
]);

/** Statuses without a reason phrase in nginx: it knows no others of these ranges. */
const NGINX_KNOWS = new Set([
  200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
  411, 412, 413, 414, 415, 416, 421, 429, 500, 501, 502, 503, 504, 505, 507,
]);

/** The reason phrase nginx puts behind a status that it makes itself; empty for those it has no text for. */
export function statusText(status: number): string {
  return NGINX_SPELLING.get(status) ?? (NGINX_KNOWS.has(status) ? (STATUS_CODES[status] ?? '') : '');
}

/** nginx's built-in page for a status that ends a request without a body; undefined where it has none. */
export function nginxErrorPage(status: number): string | undefined {
  const text = statusText(status);
  if (status < 300 || status === 304 || text === '') {
    return undefined;
  }
  const title = `${status} ${text === 'Moved Temporarily' ? 'Found' : text}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
}
