import type { PdkCall, RecordedValue } from './record.js';
import { isSecretName } from './secret-names.js';

/** What stands for a value that is not shown. */
export const MASK = '•••';

/** A text under a name: masked, where the name is that of a credential. */
export function maskedNamed(name: string, text: string): string {
  return isSecretName(name) && !/^(?:true|false|)$/.test(text) ? MASK : text;
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
      return equals < 0
        ? part
        : `${part.slice(0, equals)}=${maskedNamed(part.slice(0, equals), part.slice(equals + 1))}`;
    });
  return `${target.slice(0, question)}?${query.join('&')}`;
}

/** A value with everything in it masked that goes by the name of a credential; `name` is what it goes by itself. */
export function maskedValue(value: RecordedValue, name?: string): RecordedValue {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (name !== undefined && isSecretName(name)) return value === '' ? value : MASK;
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
/** Functions that take or answer a body, or say something. */
const TEXTS = /(?:get|set)_raw_body$|response\.exit$|^kong\.log\./;

/** What a call names by its first argument; undefined: it is no such function. */
export function nameIn({ method, args }: Pick<PdkCall, 'method' | 'args'>): string | undefined {
  const [first] = args;
  if (!BY_NAME.test(method) || typeof first !== 'string') return undefined;
  return first.replace(/^(?:http|arg|cookie|sent_http)_/, '');
}

/** The arguments and the answer of a call, credentials masked. */
export function maskedCall(call: PdkCall): { args: readonly RecordedValue[]; answer: RecordedValue } {
  const { method, args, answer } = call;
  const name = nameIn(call);
  if (name !== undefined) {
    return {
      args: [args[0], ...args.slice(1).map((value) => maskedValue(value, name))],
      answer: maskedValue(answer, name),
    };
  }
  const masked = TEXTS.test(method) ? maskedSaid : TARGETS.test(method) ? maskedQuery : maskedValue;
  return { args: args.map((value) => masked(value)), answer: masked(answer) };
}

function maskedQuery(value: RecordedValue): RecordedValue {
  if (typeof value !== 'string') return value;
  return value.includes('?') || value.startsWith('/')
    ? maskedTarget(value)
    : maskedTarget(`?${value}`).slice(1);
}

function maskedSaid(value: RecordedValue): RecordedValue {
  return typeof value === 'string' ? maskedBody(value) : maskedValue(value);
}

/** A body without the credentials that it names. JSON in which there are some comes out without spaces. */
export function maskedBody(text: string): string {
  try {
    const parsed = JSON.parse(text) as RecordedValue;
    const masked = JSON.stringify(maskedValue(parsed));
    return masked === JSON.stringify(parsed) ? text : masked;
  } catch {
    // No JSON.
    return maskedText(text);
  }
}

/** Where a text names a value: `name=value` of a form, `"name": "value"` of JSON, `name: value` of a header. */
const NAMED = [
  /(?<=^|[&?;\s])([\w.%-]+)(=)([^&;\s]+)/g,
  /"([\w.-]+)("\s*:\s*")((?:[^"\\]|\\.)+)/g,
  /(?<![\w-])([\w-]+)(: (?:(?:Bearer|Basic|Digest) )?)((?=[^\s,;'"]*\d)[^\s,;'"]{8,})/gi,
];

/** A text of any kind with the values of credentials masked. */
export function maskedText(text: string): string {
  return NAMED.reduce(
    (rest, named) =>
      rest.replace(named, (all, name: string, between: string) =>
        isSecretName(name)
          ? `${all.slice(0, all.indexOf(between, name.length) + between.length)}${MASK}`
          : all,
      ),
    text,
  );
}

/** Name and value of each credential that a text names as {@link maskedText} finds them. */
export function namedInText(text: string): [name: string, value: string][] {
  return NAMED.flatMap((named) =>
    [...text.matchAll(named)].map(([, name = '', , value = '']): [string, string] => [name, value]),
  );
}
