/**
 * The bodies of Kong's error responses: the media type is chosen from the client's Accept header, JSON when nothing
 * else fits, and message and request id stand in it the way Kong 3.9 writes them.
 */
export interface ErrorBody {
  readonly contentType: string;
  readonly body: string;
}

type Render = (message: string, requestId: string) => string;

const RENDERERS: ReadonlyMap<string, Render> = new Map<string, Render>([
  [
    'application/json',
    (message, requestId) => {
      const fields = [`  "message":${JSON.stringify(message)}`];
      if (requestId !== '') fields.push(`  "request_id":${JSON.stringify(requestId)}`);
      return `{\n${fields.join(',\n')}\n}`;
    },
  ],
  [
    'application/xml',
    (message, requestId) =>
      `<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>${escapeMarkup(message)}</message>\n` +
      `  <requestid>${escapeMarkup(requestId)}</requestid>\n</error>\n`,
  ],
  [
    'text/html',
    (message, requestId) =>
      `<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n  <body>\n` +
      `    <h1>Error</h1>\n    <p>${escapeMarkup(message)}.</p>\n` +
      `    <p>request_id: ${escapeMarkup(requestId)}</p>\n  </body>\n</html>\n`,
  ],
  ['text/plain', (message, requestId) => `${message}\nrequest_id: ${requestId}\n`],
]);

const DEFAULT_TYPE = 'application/json';

/** Messages that stand in for an absent one, by status, as Kong words them. */
export const ERROR_MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Unauthorized',
  402: 'Payment required',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable',
  407: 'Proxy authentication required',
  408: 'Request timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length required',
  412: 'Precondition failed',
  413: 'Payload too large',
  414: 'URI too long',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
  417: 'Expectation failed',
  418: "I'm a teapot",
  421: 'Misdirected request',
  422: 'Unprocessable entity',
  423: 'Locked',
  424: 'Failed dependency',
  425: 'Too early',
  426: 'Upgrade required',
  428: 'Precondition required',
  429: 'Too many requests',
  431: 'Request header fields too large',
  451: 'Unavailable for legal reasons',
  494: 'Request header or cookie too large',
  500: 'An unexpected error occurred',
  501: 'Not implemented',
  502: 'An invalid response was received from the upstream server',
  503: 'The upstream server is currently unavailable',
  504: 'The upstream server is timing out',
  505: 'HTTP version not supported',
  506: 'Variant also negotiates',
  507: 'Insufficient storage',
  508: 'Loop detected',
  510: 'Not extended',
  511: 'Network authentication required',
};

/**
 * @param accept the request's Accept header, absent or several values joined
 * @param requestId Kong's id of the request, empty before Kong 3.5
 * @param unasked the media type where there is no Accept header: nginx's own error pages are plain text then
 */
export function errorBody(
  status: number,
  message: string | undefined,
  accept: string | undefined,
  requestId: string,
  unasked: 'application/json' | 'text/plain' = DEFAULT_TYPE,
): ErrorBody {
  const type = accept === undefined ? unasked : preferredType(accept);
  const text = message ?? ERROR_MESSAGES[status] ?? `The upstream server responded with ${status}`;
  return {
    contentType: `${type}; charset=utf-8`,
    body: (RENDERERS.get(type) as Render)(text, requestId),
  };
}

/** The supported type with the highest quality (RFC 9110 §12.5.1); the earlier one of equals. */
function preferredType(accept: string): string {
  let best = DEFAULT_TYPE;
  let bestQuality = 0;
  for (const part of accept.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const quality = Number(parameters.find((p) => p.startsWith('q='))?.slice(2) ?? 1);
    const type = matchingType(range);
    if (type !== undefined && quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  return best;
}

function matchingType(range: string): string | undefined {
  if (RENDERERS.has(range)) return range;
  if (range === '*/*' || range === 'application/*') return DEFAULT_TYPE;
  return range === 'text/*' ? 'text/plain' : undefined;
}

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
