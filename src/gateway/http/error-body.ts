const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

interface Template {
  readonly type: string;
  readonly body: (message: string, requestId: string) => string;
}

const jsonTemplate: Template = {
  type: JSON_TYPE,
  body: (message, id) =>
    `{\n  "message":${JSON.stringify(message)},\n  "request_id":${JSON.stringify(id)}\n}`,
};

const textTemplate: Template = { type: TEXT_TYPE, body: (message, id) => `${message}\nrequest_id: ${id}\n` };

const TEMPLATES: ReadonlyMap<string, Template> = new Map([
  ['application/json', jsonTemplate],
  ['*/*', jsonTemplate],
  ['application/*', jsonTemplate],
  ['text/plain', textTemplate],
  ['text/*', textTemplate],
  [
    'text/html',
    {
      type: 'text/html; charset=utf-8',
      body: (message, id) =>
        `<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n  <body>\n    <h1>Error</h1>\n    <p>${escapeXml(message)}.</p>\n    <p>request_id: ${id}</p>\n  </body>\n</html>\n`,
    },
  ],
  [
    'application/xml',
    {
      type: 'application/xml; charset=utf-8',
      body: (message, id) =>
        `<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>${escapeXml(message)}</message>\n  <requestid>${id}</requestid>\n</error>\n`,
    },
  ],
]);

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (c) => (c === '<' ? '&lt;' : c === '>' ? '&gt;' : '&amp;'));
}

/** The template of the media range with the highest `q`; JSON when none of them is known. */
function negotiate(accept: string): Template {
  const ranges = accept.split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const q = parameters.find((piece) => piece.startsWith('q='));
    return { type, q: q === undefined ? 1 : Number(q.slice(2)) || 0 };
  });
  ranges.sort((a, b) => b.q - a.q);
  for (const { type } of ranges) {
    const template = TEMPLATES.get(type);
    if (template !== undefined) {
      return template;
    }
  }
  return jsonTemplate;
}

/**
 * Kong's error body. What the client accepts decides the format; without an Accept header the two places where
 * Kong makes such bodies differ: `kong.response.error` and everything in the access phase say JSON, the error
 * pages of nginx say plain text.
 */
export function errorBody(
  message: string,
  requestId: string,
  accept: string | undefined,
  origin: 'kong' | 'nginx',
): { type: string; body: string } {
  const template = accept !== undefined ? negotiate(accept) : origin === 'kong' ? jsonTemplate : textTemplate;
  return { type: template.type, body: template.body(message, requestId) };
}

/** What nginx's error pages say in Kong, by status. */
export const NGINX_MESSAGES: ReadonlyMap<number, string> = new Map([
  [400, 'Bad request'],
  [405, 'Method not allowed'],
  [408, 'Request timeout'],
  [413, 'Payload too large'],
  [414, 'URI too long'],
  [494, 'Request header or cookie too large'],
  [500, 'An unexpected error occurred'],
  [502, 'An invalid response was received from the upstream server'],
  [503, 'The upstream server is currently unavailable'],
  [504, 'The upstream server is timing out'],
]);
