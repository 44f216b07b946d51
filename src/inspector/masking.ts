import type { PdkCall, RecordedHeaders, RecordedValue } from './record.js';

/** What stands for a value that is not shown. */
export const MASK = '•••';

/** Parts of names of headers, arguments and fields whose values let somebody in. */
const SECRET =
  /authorization|cookie|token|secret|passw|api-?key|signature|credential|session|private|(?:^|[-_ ])(?:key|auth|jwt|otp|pin)$/i;

const added = new Set<string>();

/** Whether what goes by this name is a credential: a header, a query argument, a field of a configuration. */
export function isSecretName(name: string): boolean {
  const spelled = name.replaceAll('_', '-');
  return SECRET.test(spelled) || added.has(spelled.toLowerCase());
}

/** More names of credentials, for this process: those of fields that a plugin's schema calls `encrypted`. */
export function addSecretNames(names: Iterable<string>): void {
  for (const name of names) added.add(name.replaceAll('_', '-').toLowerCase());
}

/** Header lines with the values of credentials masked. */
export function maskedHeaders(headers: RecordedHeaders): RecordedHeaders {
  return headers.map(([name, value]) => [name, isSecretName(name) ? MASK : value]);
}

/** A request target with the values of credentials in its query masked. */
export function maskedTarget(target: string): string {
  const question = target.indexOf('?');
  if (question < 0) return target;
  const query = target
    .slice(question + 1)
    .split('&')
    .map((part) => {
      const equals = part.indexOf('=');
      return equals >= 0 && isSecretName(part.slice(0, equals)) ? `${part.slice(0, equals)}=${MASK}` : part;
    });
  return `${target.slice(0, question)}?${query.join('&')}`;
}

/** A value with everything in it masked that goes by the name of a credential; `name` is what it goes by itself. */
export function maskedValue(value: RecordedValue, name?: string): RecordedValue {
  if (value === undefined) return value;
  if (name !== undefined && isSecretName(name)) return MASK;
  if (Array.isArray(value)) return value.map((item: RecordedValue) => maskedValue(item));
  if (typeof value !== 'object' || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, maskedValue(item as RecordedValue, key)]),
  );
}

/** Functions whose first argument names what the rest and the answer are about. */
const BY_NAME = /_header$|_query_arg$|\.ctx\.shared\.|_ctx$|get_var$|set_serialize_value$/;
/** Functions that answer a request target or a query. */
const TARGETS = /\.get_(?:path_with_query|raw_query)$|set_raw_query$/;

/** Functions that take or answer a body. */
const BODIES = /(?:get|set)_raw_body$|response\.exit$/;

/** The arguments and the answer of a call, credentials masked. */
export function maskedCall(call: PdkCall): { args: readonly RecordedValue[]; answer: RecordedValue } {
  const { method, args, answer } = call;
  const first = args[0];
  if (BY_NAME.test(method) && typeof first === 'string') {
    const name = first.replace(/^(?:http|arg|cookie|sent_http)_/, '');
    return {
      args: [first, ...args.slice(1).map((value) => maskedValue(value, name))],
      answer: maskedValue(answer, name),
    };
  }
  if (BODIES.test(method)) return { args: args.map(maskedBody), answer: maskedBody(answer) };
  if (TARGETS.test(method)) return { args: args.map(maskedQuery), answer: maskedQuery(answer) };
  return { args: args.map((value) => maskedValue(value)), answer: maskedValue(answer) };
}

function maskedQuery(value: RecordedValue): RecordedValue {
  if (typeof value !== 'string') return value;
  return value.includes('?') || value.startsWith('/')
    ? maskedTarget(value)
    : maskedTarget(`?${value}`).slice(1);
}

/** A text in which `name=value` and `"name": "value"` of credentials are masked: a form, or the beginning of JSON. */
export function maskedQueryText(text: string): string {
  return text
    .replace(/(?<=^|[&?\s])([\w.%-]+)=([^&\s]*)/g, (all, name: string) =>
      isSecretName(name) ? `${name}=${MASK}` : all,
    )
    .replace(/"([\w.-]+)"\s*:\s*"(?:[^"\\]|\\.)*"?/g, (all, name: string) =>
      isSecretName(name) ? `"${name}": "${MASK}"` : all,
    );
}

function maskedBody(value: RecordedValue): RecordedValue {
  if (typeof value !== 'string') return maskedValue(value);
  try {
    const parsed = JSON.parse(value) as RecordedValue;
    const masked = JSON.stringify(maskedValue(parsed));
    return masked === JSON.stringify(parsed) ? value : masked;
  } catch {
    // No JSON.
    return maskedQueryText(value);
  }
}
