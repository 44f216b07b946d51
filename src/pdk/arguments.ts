import { PdkError } from './errors.js';
import { loggable } from './loggable.js';
import { PDK_METHODS, type PdkMethod } from './methods.js';

/** Objects and lists inside one another beyond this depth are refused, which is what a cycle comes to. */
const MAX_DEPTH = 64;

type Args = readonly unknown[];
type Prepare = (method: PdkMethod, args: Args) => Args;

/**
 * Makes the arguments of a call what Kong understands over every protocol, or says at once which of them it would not:
 * Kong itself leaves many of them out without a word, or logs a Lua error that names no line of the plugin's.
 *
 * - null and undefined inside objects and lists are left out: Lua has no such members, and ProtoBuf:1 would make the
 *   text "NULL_VALUE" of them. As an argument of its own, null is nil.
 * - Headers are texts, numbers, booleans and lists of these; query arguments likewise.
 * - Dates and other objects with `toJSON` become its result, Maps objects, Sets lists.
 *
 * Returns `args` itself where nothing is to be done.
 *
 * @throws PdkError `PDK_BAD_ARGUMENT`
 */
export function prepareArguments(method: PdkMethod, args: Args): Args {
  const prepare = PREPARE[method.index];
  if (prepare !== undefined) return prepare(method, args);
  for (const arg of args) {
    if (typeof arg !== 'string' && typeof arg !== 'number' && arg !== undefined)
      return plainAll(method, args);
  }
  return args;
}

const BY_WIRE: ReadonlyMap<string, Prepare> = new Map<string, Prepare>([
  ...[
    'response.set_header',
    'response.add_header',
    'service.request.set_header',
    'service.request.add_header',
  ].map((name): [string, Prepare] => [`kong.${name}`, headerPair]),
  ['kong.response.set_headers', (method, [headers]) => [headerRecord(method, 1, headers)]],
  ['kong.service.request.set_headers', (method, [headers]) => [headerRecord(method, 1, headers)]],
  ['kong.service.request.set_query', (method, [query]) => [queryRecord(method, query)]],
  ['kong.response.exit', headersBehind],
  ['kong.response.error', headersBehind],
  // It is written as JSON or a form, which have rules of their own.
  ['kong.service.request.set_body', asTheyAre],
  ['kong.service.set_target_retry_callback', refuseCode],
]);

const PREPARE: readonly (Prepare | undefined)[] = PDK_METHODS.map(
  ({ wire }) => BY_WIRE.get(wire) ?? (isLog(wire) ? asTheyAre : undefined),
);

/** The functions that write their arguments into Kong's log; those make their own texts of whatever they are given. */
function isLog(wire: string): boolean {
  return wire === 'kong.log' || (wire.startsWith('kong.log.') && !/serialize/.test(wire));
}

function asTheyAre(_method: PdkMethod, args: Args): Args {
  return args;
}

function headerPair(method: PdkMethod, args: Args): Args {
  const [name, value] = args;
  if (typeof name !== 'string' || name === '')
    throw badArgument(method, 'argument 1', 'the name of a header', name);
  const sent = headerValue(method, 'argument 2', value);
  return sent === value ? args : [name, sent];
}

const HEADER_VALUE = 'a string, a number, a boolean or a list of these';

/** Undefined for what is absent. A header that is `false` is sent as text: over ProtoBuf:1 Lua would see nil. */
function headerValue(method: PdkMethod, what: string, value: unknown): unknown {
  if (typeof value === 'string' || value === true) return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (value === false) return 'false';
  if (value === undefined || value === null) return undefined;
  if (value instanceof Uint8Array) return value;
  if (!Array.isArray(value)) throw badArgument(method, what, HEADER_VALUE, value);
  return value.flatMap((item, index) => {
    if (Array.isArray(item)) throw badArgument(method, `${what}[${index}]`, HEADER_VALUE, item);
    return headerValue(method, `${what}[${index}]`, item) ?? [];
  });
}

function headerRecord(method: PdkMethod, position: number, headers: unknown): object {
  const what = `argument ${position}`;
  return mapRecord(method, what, headers, (name, value) => headerValue(method, `${what}.${name}`, value));
}

function queryRecord(method: PdkMethod, query: unknown): object {
  return mapRecord(method, 'argument 1', query, (name, value) => {
    // Kong leaves false out; in a list, over ProtoBuf:1, everything behind it, too.
    if (value === false) return value;
    const given = Array.isArray(value) ? value.filter((item) => item !== false) : value;
    return headerValue(method, `argument 1.${name}`, given);
  });
}

/** The members for which `convert` gives something. */
function mapRecord(
  method: PdkMethod,
  what: string,
  record: unknown,
  convert: (name: string, value: unknown) => unknown,
): object {
  if (record === undefined || record === null) return {};
  // Lua has one empty table.
  if (Array.isArray(record) && record.length === 0) return record;
  if (!isRecord(record)) throw badArgument(method, what, 'an object', record);
  const members: [string, unknown][] = [];
  for (const [name, value] of Object.entries(record)) {
    const converted = convert(name, value);
    if (converted !== undefined) members.push([name, converted]);
  }
  return Object.fromEntries(members);
}

/** Of `exit` and `error`, whose third argument is headers. */
function headersBehind(method: PdkMethod, args: Args): Args {
  const [status, content, headers] = args;
  if (headers === undefined || headers === null) return args;
  return [status, content, headerRecord(method, 3, headers)];
}

function refuseCode(method: PdkMethod): never {
  throw new PdkError(
    'PDK_UNSUPPORTED',
    method.wire,
    'its argument is code, which no protocol carries to Kong',
  );
}

/** A value as Lua can hold it, for protocols that send tables; see {@link prepareArguments}. */
export function plainArgument(method: PdkMethod, position: number, value: unknown): unknown {
  return plain(method, `argument ${position}`, value, 0);
}

/** An argument of `kong.log.inspect` for Kong to write out: as it is, or as text where Kong has no such value. */
export function inspectable(method: PdkMethod, value: unknown): unknown {
  if (value instanceof Error) return loggable(value);
  try {
    return plain(method, 'argument', value, 0);
  } catch (error) {
    if (error instanceof PdkError) return loggable(value);
    throw error;
  }
}

function plainAll(method: PdkMethod, args: Args): Args {
  let changed: unknown[] | undefined;
  for (let i = 0; i < args.length; i++) {
    const given = args[i];
    const sent = plain(method, `argument ${i + 1}`, given, 0);
    if (sent !== given) {
      changed ??= [...args];
      changed[i] = sent;
    }
  }
  return changed ?? args;
}

/** The value as Lua can hold it; itself where it already is. */
function plain(method: PdkMethod, what: string, value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      if (Number.isSafeInteger(Number(value))) return Number(value);
      throw badArgument(method, what, 'a number of at most 53 bits', value);
    case 'object':
      break;
    default:
      throw badArgument(method, what, 'a value', value);
  }
  if (value === null || value instanceof Uint8Array) return value;
  if (depth >= MAX_DEPTH) {
    const reason = `${what.slice(0, 40)}… is nested more than ${MAX_DEPTH} deep, or contains itself`;
    throw new PdkError('PDK_BAD_ARGUMENT', method.wire, reason);
  }
  if (Array.isArray(value)) return plainList(method, what, value, depth);
  if (value instanceof Set) return plainList(method, what, [...value], depth);
  if (value instanceof Map) return plainRecord(method, what, Object.fromEntries(value), depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return plain(method, what, value.toJSON(), depth + 1);
  }
  return plainRecord(method, what, value, depth);
}

function plainList(method: PdkMethod, what: string, list: readonly unknown[], depth: number): unknown[] {
  return list
    .map((item, index) => plain(method, `${what}[${index}]`, item, depth + 1))
    .filter((item) => item !== undefined && item !== null);
}

function plainRecord(method: PdkMethod, what: string, record: object, depth: number): object {
  const members: [string, unknown][] = [];
  for (const [name, member] of Object.entries(record)) {
    const sent = plain(method, `${what}.${name}`, member, depth + 1);
    if (sent !== undefined && sent !== null) members.push([name, sent]);
  }
  return Object.fromEntries(members);
}

function isRecord(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function badArgument(method: PdkMethod, what: string, wanted: string, value: unknown): PdkError {
  const kind =
    value === null || value === undefined || typeof value === 'number'
      ? String(value)
      : Array.isArray(value)
        ? 'a list'
        : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
  return new PdkError('PDK_BAD_ARGUMENT', method.wire, `${what} must be ${wanted}, not ${kind}`);
}
