import { readFile } from 'node:fs/promises';
import { PdkError } from '../../pdk/errors.js';
import { loggable } from '../../pdk/loggable.js';
import { PDK_METHODS, type PdkMethod, RAW_BODY_SOURCE } from '../../pdk/methods.js';
import { BodyFile } from '../../pdk/raw-body.js';
import { encodeFrame } from '../../protocol/protobuf/frames.js';
import { readText, writeInt, writePair } from '../../protocol/protobuf/frequent.js';
import { decodeMessage, writeMessage } from '../../protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../protocol/protobuf/methods.js';
import { Reader } from '../../protocol/protobuf/reader.js';
import type { MessageName } from '../../protocol/protobuf/schema.js';
import { readStruct } from '../../protocol/protobuf/value.js';
import type { Writer } from '../../protocol/protobuf/writer.js';

/** How one PDK method travels over ProtoBuf:1. */
export interface ProtobufCall {
  /** The frame with the method's name. */
  readonly head: Buffer;
  /** Writes the payload of the argument frame. */
  readonly write: (writer: Writer, args: readonly unknown[]) => void;
  /** Turns the payload of the answer into what the plugin gets. */
  readonly read: (payload: Buffer) => unknown;
}

type Args = readonly unknown[];
type WriteArgs = (method: PdkMethod) => ProtobufCall['write'];
type ReadResult = (method: PdkMethod) => ProtobufCall['read'];

/** What Kong's own functions take when the argument is left out; over ProtoBuf:1 they need it. */
const DEFAULT_MAX_ENTRIES = 100;

/** Functions whose empty answer means that there is no such thing, not an empty text. */
const ABSENT_WHEN_EMPTY: ReadonlySet<string> = new Set([
  'kong.client.get_protocol',
  'kong.nginx.get_tls1_version_str',
  'kong.nginx.get_var',
  'kong.request.get_header',
  'kong.request.get_query_arg',
  'kong.response.get_header',
  'kong.response.get_source',
  'kong.service.response.get_header',
]);

const WRITE: { readonly [args in MessageName]?: WriteArgs } = {
  Empty: () => () => {},
  String: (method) => {
    return (writer, args) => writeMessage(writer, 'String', { v: text(method, 1, args[0], '') });
  },
  Bool: () => (writer, args) => writeMessage(writer, 'Bool', { v: args[0] === true }),
  Int: (method) => {
    const absent = method.kind === 'value' ? DEFAULT_MAX_ENTRIES : 0;
    return (writer, args) => writeInt(writer, integer(method, 1, args[0], absent));
  },
  KV: (method) => (writer, args) => {
    if (args.length > 2) checkOptions(method, args[2]);
    // Over the wire only an absent value is nil to Kong.
    writePair(writer, text(method, 1, args[0], ''), args[1] ?? undefined);
  },
  ListValue: () => (writer, args) => writeMessage(writer, 'ListValue', args.map(logText)),
  Struct: (method) => (writer, args) => writeMessage(writer, 'Struct', record(method, 1, args[0])),
  ByteString: (method) => (writer, args) =>
    writeMessage(writer, 'ByteString', { v: bytes(method, 1, args[0]) }),
  ConsumerSpec: (method) => (writer, args) => {
    writeMessage(writer, 'ConsumerSpec', { id: text(method, 1, args[0], ''), by_username: args[1] === true });
  },
  Target: (method) => (writer, args) => {
    writeMessage(writer, 'Target', {
      host: text(method, 1, args[0], ''),
      port: integer(method, 2, args[1], 0),
    });
  },
  AuthenticateArgs: (method) => (writer, args) => {
    writeMessage(writer, 'AuthenticateArgs', {
      consumer: args[0] == null ? undefined : record(method, 1, args[0]),
      credential: args[1] == null ? undefined : record(method, 2, args[1]),
    });
  },
  ExitArgs: (method) => (writer, args) => writeMessage(writer, 'ExitArgs', exitArgs(method, args)),
};

const READ: { readonly [result in MessageName]?: ReadResult } = {
  Empty: () => () => null,
  String: (method) => {
    const absent = ABSENT_WHEN_EMPTY.has(method.wire) ? undefined : '';
    return (payload) => (payload.length === 0 ? absent : readText(payload));
  },
  Bool: () => (payload) => field(payload, 'Bool'),
  Int: () => (payload) => field(payload, 'Int'),
  Number: () => (payload) => field(payload, 'Number'),
  ByteString: () => (payload) => field(payload, 'ByteString'),
  Value: () => (payload) => decodeMessage('Value', payload) ?? undefined,
  Struct: () => (payload) => readStruct(new Reader(payload)),
  Consumer: () => (payload) => entity('Consumer', payload),
  AuthenticatedCredential: () => (payload) => entity('AuthenticatedCredential', payload),
  Route: () => (payload) => entity('Route', payload),
  Service: () => (payload) => entity('Service', payload),
  MemoryStats: () => (payload) => decodeMessage('MemoryStats', payload),
  RawBodyResult: (method) => (payload) =>
    method === RAW_BODY_SOURCE ? bodySource(method, payload) : rawBody(method, payload),
  UriCapturesResult: () => uriCaptures,
};

const CALLABLE = [...PDK_METHODS, RAW_BODY_SOURCE];

/** By {@link PdkMethod.index}; nothing for the functions that ProtoBuf:1 does not carry. */
export const PROTOBUF_CALLS: readonly (ProtobufCall | undefined)[] = CALLABLE.map((method) => {
  const messages = PROTOBUF_METHODS.get(method.wire);
  if (messages === undefined) return undefined;
  const write = WRITE[messages.args];
  const read = READ[method.kind === 'value' ? messages.result : 'Empty'];
  if (write === undefined || read === undefined) throw new Error(`no way to carry ${method.wire}`);
  return { head: encodeFrame(Buffer.from(method.wire)), write: write(method), read: read(method) };
});

/** For a function that ProtoBuf:1 neither carries nor lets be built from others. */
export function notCarried({ wire }: PdkMethod): PdkError {
  const reason =
    'the protocol ProtoBuf:1 has no such function; --dump --protocol msgpack brings it, if Kong has it';
  return new PdkError('PDK_UNSUPPORTED', wire, reason);
}

function field(payload: Buffer, type: MessageName): unknown {
  return (decodeMessage(type, payload) as { v: unknown }).v;
}

/** Only what was set: an entity's empty members are what it does not have, but for flags. */
function entity(type: MessageName, payload: Buffer): unknown {
  if (payload.length === 0) return undefined;
  const members = Object.entries(decodeMessage(type, payload) as object).filter(
    ([, member]) => typeof member === 'boolean' || (member !== '' && member !== 0 && !isEmptyList(member)),
  );
  return Object.fromEntries(members);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A body above nginx's buffer lies in a file that Kong names; this process runs beside Kong and can read it. */
function bodySource(method: PdkMethod, payload: Buffer): Buffer | BodyFile {
  const result = decodeMessage('RawBodyResult', payload) as {
    content?: Buffer;
    body_filepath?: string;
    error?: string;
  };
  if (result.error !== undefined) throw new PdkError('PDK_FAILED', method.wire, result.error);
  return result.body_filepath ? new BodyFile(result.body_filepath) : (result.content ?? Buffer.alloc(0));
}

function rawBody(method: PdkMethod, payload: Buffer): Buffer | Promise<Buffer> {
  const source = bodySource(method, payload);
  if (!(source instanceof BodyFile)) return source;
  return readFile(source.path).catch((cause: NodeJS.ErrnoException) => {
    const reason = `the body is in ${source.path}, which cannot be read: ${cause.code}`;
    throw new PdkError('PDK_FAILED', method.wire, reason, { cause });
  });
}

function uriCaptures(payload: Buffer): { unnamed: string[]; named: Record<string, string> } {
  const { unnamed, named } = decodeMessage('UriCapturesResult', payload) as {
    unnamed: Buffer[];
    named: Record<string, Buffer>;
  };
  return {
    unnamed: unnamed.map(String),
    named: Object.fromEntries(Object.entries(named).map(([name, value]) => [name, String(value)])),
  };
}

/** Over ProtoBuf:1 null would be logged as "NULL_VALUE", and false as nothing. */
function logText(value: unknown): unknown {
  return value === null || value === false ? String(value) : loggable(value);
}

function exitArgs(method: PdkMethod, args: Args): object {
  const [status, body, headers] = args;
  const fields: Record<string, unknown> = headers == null ? {} : { ...record(method, 3, headers) };
  let content: unknown = body ?? undefined;
  if (content !== undefined && typeof content !== 'string' && !(content instanceof Uint8Array)) {
    // As Kong's own exit does with a table.
    content = jsonText(method, content);
    const named = Object.keys(fields).some((name) => name.toLowerCase() === 'content-type');
    if (!named) fields['Content-Type'] = 'application/json; charset=utf-8';
  }
  return {
    status: integer(method, 1, status, 0),
    body: content,
    headers: Object.keys(fields).length === 0 ? undefined : fields,
  };
}

function jsonText(method: PdkMethod, value: unknown): string {
  try {
    const text = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    const reason = `argument 2 has no JSON form: ${(cause as Error).message}`;
    throw new PdkError('PDK_BAD_ARGUMENT', method.wire, reason, { cause });
  }
  throw badArgument(method, 2, 'a string, bytes or a JSON value', value);
}

/** A KV has no place for them; of `log.set_serialize_value`, the only function that takes any, one is the default. */
function checkOptions(method: PdkMethod, options: unknown): void {
  if (method.wire !== 'kong.log.set_serialize_value') return;
  const mode = (options as { mode?: unknown } | null | undefined)?.mode ?? 'set';
  if (mode === 'set') return;
  const reason = `the protocol ProtoBuf:1 carries no mode but "set"; --dump --protocol msgpack brings the others`;
  throw new PdkError('PDK_UNSUPPORTED', method.wire, reason);
}

function text(method: PdkMethod, position: number, value: unknown, absent: string): string | Uint8Array {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (typeof value === 'number') return String(value);
  if (value === undefined || value === null) return absent;
  throw badArgument(method, position, 'a string', value);
}

function integer(method: PdkMethod, position: number, value: unknown, absent: number): number {
  if (value === undefined || value === null) return absent;
  if (typeof value === 'number' && value === (value | 0)) return value;
  throw badArgument(method, position, 'a whole number of 32 bits', value);
}

function bytes(method: PdkMethod, position: number, value: unknown): string | Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw badArgument(method, position, 'a string or bytes', value);
}

function record(method: PdkMethod, position: number, value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return {};
  throw badArgument(method, position, 'an object', value);
}

function badArgument(method: PdkMethod, position: number, wanted: string, value: unknown): PdkError {
  const given = Array.isArray(value)
    ? 'an array'
    : typeof value === 'number'
      ? String(value)
      : `a ${typeof value}`;
  return new PdkError(
    'PDK_BAD_ARGUMENT',
    method.wire,
    `argument ${position} must be ${wanted}, not ${given}`,
  );
}
