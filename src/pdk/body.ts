import { randomBytes } from 'node:crypto';
import { PdkError } from './errors.js';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
const MULTIPART = 'multipart/form-data';

/** How many arguments of a form Kong reads where it is not told. */
const DEFAULT_MAX_ARGS = 100;

/**
 * Parses a body by its media type, for the types that Kong's own function knows.
 *
 * @param maxArgs how many arguments of a form are read, 1 to 1000; 100 by default, as Kong has it
 * @throws PdkError `PDK_FAILED` when the type is unknown or the body is not of it
 */
export async function parseBody(
  method: string,
  body: Buffer,
  contentType: string | undefined,
  maxArgs: unknown = DEFAULT_MAX_ARGS,
): Promise<unknown> {
  const type = mediaType(contentType);
  if (type === JSON_TYPE) return parseJson(method, body);
  if (type === FORM) return parseForm(body, typeof maxArgs === 'number' ? maxArgs : DEFAULT_MAX_ARGS);
  if (type === MULTIPART) return parseMultipart(method, body, contentType as string);
  throw new PdkError('PDK_FAILED', method, unsupported(contentType));
}

/**
 * Writes a value as a body of the given media type.
 *
 * @throws PdkError `PDK_FAILED` when the type is unknown or the value does not fit it
 */
export function serialiseBody(
  method: string,
  value: unknown,
  contentType: string | undefined,
): { body: string; contentType: string } {
  if (typeof value !== 'object' || value === null) {
    throw new PdkError('PDK_BAD_ARGUMENT', method, 'the body must be an object');
  }
  const type = mediaType(contentType);
  if (type === JSON_TYPE) return { body: JSON.stringify(value), contentType: JSON_TYPE };
  if (type === FORM) return { body: formText(value), contentType: FORM };
  if (type === MULTIPART) return multipartText(method, value);
  throw new PdkError('PDK_FAILED', method, unsupported(contentType));
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function unsupported(contentType: string | undefined): string {
  return contentType === undefined ? 'there is no content type' : `unsupported content type '${contentType}'`;
}

function parseJson(method: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new PdkError('PDK_FAILED', method, 'the body is not valid JSON', { cause });
  }
}

/** As for query arguments: one value is a string, several are a list, a name without `=` is true. */
function parseForm(body: Buffer, maxArgs: number): Record<string, unknown> {
  const fields = new Map<string, (string | true)[]>();
  let count = 0;
  for (const pair of body.toString('utf8').split('&')) {
    if (pair === '') continue;
    if (++count > maxArgs) break;
    const equals = pair.indexOf('=');
    const name = unescapeForm(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? true : unescapeForm(pair.slice(equals + 1));
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

function unescapeForm(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not UTF-8 behind the escapes: keep what was sent.
    return spaced;
  }
}

async function parseMultipart(
  method: string,
  body: Buffer,
  contentType: string,
): Promise<Record<string, string | string[]>> {
  let form: FormData;
  try {
    form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new PdkError('PDK_FAILED', method, 'the body is not valid multipart/form-data', { cause });
  }
  const fields: Record<string, string | string[]> = {};
  for (const name of new Set(form.keys())) {
    const values = await Promise.all(
      form.getAll(name).map((part) => (typeof part === 'string' ? part : part.text())),
    );
    fields[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return fields;
}

/** One part per member, as Kong's own function writes them; nothing for null and false. */
function multipartText(method: string, value: object): { body: string; contentType: string } {
  const boundary = `----kong-${randomBytes(16).toString('hex')}`;
  const parts = Object.entries(value)
    .filter(([, member]) => member !== undefined && member !== null && member !== false)
    .map(([name, member]) => {
      if (typeof member === 'object') {
        throw new PdkError('PDK_BAD_ARGUMENT', method, `argument 1.${name} must be a text, not an object`);
      }
      const quoted = name.replace(/["\r\n]/g, encodeURIComponent);
      return `--${boundary}\r\nContent-Disposition: form-data; name="${quoted}"\r\n\r\n${String(member)}\r\n`;
    });
  return { body: `${parts.join('')}--${boundary}--\r\n`, contentType: `${MULTIPART}; boundary=${boundary}` };
}

function formText(value: object): string {
  const pairs: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    for (const one of Array.isArray(member) ? member : [member]) {
      if (one === undefined || one === null || one === false) continue;
      pairs.push(
        one === true
          ? encodeURIComponent(name)
          : `${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`,
      );
    }
  }
  return pairs.join('&');
}
