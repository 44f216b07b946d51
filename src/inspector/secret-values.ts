import { MASK, namedInText, nameIn } from './masking.js';
import type { ExchangeRecord, RecordedMessage } from './record.js';
import { isSecretName } from './secret-names.js';

/** Shorter ones would mask half of the page, and say nothing. */
const LEAST_LENGTH = 6;

/**
 * The credentials of an exchange: what headers, queries, bodies, configurations and calls of plugins name as one. So
 * they can be masked also where the value comes again without its name: in an upstream's echo, a log line, an error.
 *
 * @returns the longest first
 */
export function secretValues(record: ExchangeRecord): readonly string[] {
  const values = new Set<string>();
  const add = (value: string) => {
    // Quotes of a value are escaped where it stands in JSON.
    for (const text of [value, JSON.stringify(value).slice(1, -1)])
      if (text.length >= LEAST_LENGTH && text !== MASK) values.add(text);
  };
  const collect = (name: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
      const isList = Array.isArray(value);
      for (const [key, item] of Object.entries(value))
        collect(isList || isSecretName(name) ? name : key, item);
    } else if (typeof value === 'string' && isSecretName(name)) {
      // The scheme of an Authorization header is no secret, and an echo may come without it. Nor are a cookie's names.
      for (const part of [value, value.replace(/^\w+ /, ''), ...cookieValues(name, value)]) add(part);
    }
  };
  const { request, upstreamRequest, upstreamResponse, response } = record;
  for (const message of [request, upstreamRequest, upstreamResponse, response]) {
    if (message === undefined) continue;
    for (const [name, value] of message.headers) collect(name, value);
    for (const [name, value] of namedInMessage(message)) collect(name, value);
  }
  for (const { config, calls } of record.runs) {
    collect('', config);
    for (const call of calls) {
      const name = nameIn(call) ?? '';
      for (const value of name === '' ? call.args : call.args.slice(1)) collect(name, value);
      collect(name, call.answer);
    }
  }
  return [...values].sort((a, b) => b.length - a.length);
}

/** A text without these values. */
export function withoutValues(text: string, values: readonly string[]): string {
  return values.reduce((rest, value) => rest.replaceAll(value, MASK), text);
}

function cookieValues(name: string, value: string): string[] {
  return /cookie/i.test(name) ? [...value.matchAll(/=([^;]+)/g)].map(([, part = '']) => part) : [];
}

function namedInMessage(message: RecordedMessage): [string, unknown][] {
  const query = 'target' in message ? (message.target.split('?')[1] ?? '') : '';
  const text = message.body.content.toString();
  const named: [string, unknown][] = [
    ...new URLSearchParams(query),
    ...namedInText(query),
    ...namedInText(text),
  ];
  try {
    named.push(['', JSON.parse(text)]);
  } catch {
    // Not JSON, or not all of it: what it names is found by how it is written.
  }
  return named;
}
