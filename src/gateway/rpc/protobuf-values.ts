import { ProtocolError } from '../../protocol/errors.js';
import { encodeMessage, readMessage } from '../../protocol/protobuf/messages.js';
import type { ProtobufMethod } from '../../protocol/protobuf/methods.js';
import { Reader } from '../../protocol/protobuf/reader.js';
import { FIELDS, type MessageName } from '../../protocol/protobuf/schema.js';
import { NIL } from '../../protocol/protobuf/value.js';
import { LuaError, type LuaTable, type LuaValue } from '../plugin-port.js';

/** Lua strings are bytes: every text is read as one character per byte, whether or not it is UTF-8. */
class ByteStringReader extends Reader {
  override text(): string {
    return this.byteString().toString('latin1');
  }

  override key(): string {
    return this.text();
  }

  /** A message ends for Kong where it cannot read on. */
  override tag(): number {
    try {
      return super.tag();
    } catch (error) {
      if (!isMalformed(error)) throw error;
      this.pos = this.end;
      return 0;
    }
  }

  /** Kong fails for a field that it knows and that comes with another wire type; of others it skips what it can. */
  override skip(tag: number, message = ''): void {
    const number = tag >>> 3;
    const known = FIELDS.get(message as MessageName)?.some((field) => field.number === number);
    if (known === true || number <= (GOOGLES_FIELDS[message] ?? 0)) {
      throw new LuaError(`type mismatch for field ${number} of ${message}`);
    }
    const before = this.pos;
    try {
      super.skip(tag);
    } catch (error) {
      if (!isMalformed(error)) throw error;
      this.pos = before;
    }
  }
}

/** How many fields the messages have that are not described in {@link FIELDS}. */
const GOOGLES_FIELDS: Readonly<Record<string, number>> = {
  Value: 6,
  Struct: 1,
  FieldsEntry: 2,
  ListValue: 1,
};

const isMalformed = (error: unknown) => error instanceof ProtocolError && error.code === 'MALFORMED_MESSAGE';

/**
 * The positional arguments of a PDK call, after the conversions that Kong makes: inside a Value, false becomes nil
 * and null the text "NULL_VALUE".
 *
 * @throws ProtocolError when the payload is no message of the method's argument type
 */
export function decodeArguments(method: ProtobufMethod, payload: Buffer): LuaValue[] {
  const message = readMessage(method.args, new ByteStringReader(payload));
  if (method.args === 'ListValue') return (message as unknown[]).map(toLua);
  if (method.args === 'Struct') return [toLua(message)];
  const fields = message as Record<string, unknown>;
  switch (method.args) {
    case 'Empty':
      return [];
    case 'KV':
      return [fields.k as string, toLua(fields.v)];
    case 'ExitArgs':
      return [fields.status as number, toLua(fields.body), toLua(fields.headers)];
    case 'Target':
      return [fields.host as string, fields.port as number];
    case 'ConsumerSpec':
      return [fields.id as string, fields.by_username as boolean];
    case 'AuthenticateArgs':
      return [entity(fields.consumer), entity(fields.credential)];
    case 'ByteString':
      return [toLua(fields.v)];
    default:
      return [fields.v as string | number | boolean];
  }
}

/**
 * The payload of Kong's reply to a PDK call; empty for nil, except where the result is a Value.
 *
 * @throws LuaError when the method's result message cannot hold the value
 */
export function encodeResult(method: ProtobufMethod, result: LuaValue): Buffer {
  if (method.result === 'Value') return encodeMessage('Value', toMessage(result) ?? NIL);
  if (method.result === 'Empty' || result === undefined) return Buffer.alloc(0);
  try {
    switch (method.result) {
      case 'String':
      case 'Int':
      case 'Number':
      case 'Bool':
      case 'ByteString':
        return encodeMessage(method.result, { v: toMessage(result) });
      case 'UriCapturesResult':
        return encodeMessage('UriCapturesResult', uriCaptures(result as LuaTable));
      case 'Struct':
        return encodeMessage('Struct', toMessage(result));
      default:
        return encodeMessage(method.result, toFields(method.result, result as LuaTable));
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LuaError(`${method.name}: its result cannot be sent as ${method.result}: ${reason}`);
  }
}

function toLua(value: unknown): LuaValue {
  if (value === false) return undefined;
  if (value === null) return 'NULL_VALUE';
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(toLua);
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toLua(member)]));
  }
  return value as LuaValue;
}

/** A message that stands for a table: what was not on the wire is not in the table. */
function entity(message: unknown): LuaValue {
  if (typeof message !== 'object' || message === null) return undefined;
  const set = Object.entries(message).filter(
    ([, value]) => value !== '' && value !== 0 && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(set) as LuaTable;
}

/** The inverse of {@link toLua}: byte strings become Buffers, so that the codec writes their bytes as they are. */
function toMessage(value: LuaValue): unknown {
  if (typeof value === 'string') return Buffer.from(value, 'latin1');
  if (Array.isArray(value)) {
    // Lua has one empty table, and Kong takes it for a map.
    return value.length === 0 ? {} : value.map((item) => toMessage(item) ?? NIL);
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, member]) => [utf8Key(key), toMessage(member)]);
    return Object.fromEntries(entries);
  }
  return value;
}

/** Keys cannot be Buffers: they are decoded so that the codec writes the same bytes, unless they are no UTF-8. */
function utf8Key(key: string): string {
  return Buffer.from(key, 'latin1').toString();
}

/** A table that stands for a message: members that its fields cannot list are left out, as in Kong. */
function toFields(type: MessageName, table: LuaTable): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const { name, kind, message } of FIELDS.get(type) ?? []) {
    const value = table[name];
    if (value === undefined) continue;
    if (kind === 'message[]' || kind === 'string[]') {
      if (!Array.isArray(value)) continue;
      fields[name] = value.map((item) => (message ? toFields(message, item as LuaTable) : toMessage(item)));
    } else {
      fields[name] = message ? toFields(message, value as LuaTable) : toMessage(value);
    }
  }
  return fields;
}

/** ProtoBuf:1 counts captures from 1: the whole match, number 0, is left out. */
function uriCaptures(captures: LuaTable): { unnamed: unknown[]; named: unknown } {
  const numbered = Object.entries(captures.unnamed ?? {}).map(
    ([key, value]) => [Number(key), value] as const,
  );
  const unnamed = numbered
    .filter(([number]) => number >= 1)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => toMessage(value as LuaValue));
  return { unnamed, named: toMessage(captures.named) ?? {} };
}
