import { ProtocolError } from '../errors.js';
import { FIXED64, LENGTH_DELIMITED, malformed, Reader, VARINT } from './reader.js';
import { FIELDS, type Field, type FieldKind, type MessageName } from './schema.js';
import { readList, readStruct, readValue, setOwn, writeList, writeStruct, writeValue } from './value.js';
import { Writer } from './writer.js';

type Fields = Record<string, unknown>;

const WIRE_TYPES: Record<FieldKind, number> = {
  string: LENGTH_DELIMITED,
  bytes: LENGTH_DELIMITED,
  bool: VARINT,
  int32: VARINT,
  int64: VARINT,
  double: FIXED64,
  value: LENGTH_DELIMITED,
  struct: LENGTH_DELIMITED,
  message: LENGTH_DELIMITED,
  'string[]': LENGTH_DELIMITED,
  'bytes[]': LENGTH_DELIMITED,
  'message[]': LENGTH_DELIMITED,
  'map<bytes>': LENGTH_DELIMITED,
};

const MAP_KEY = 0x0a;
const MAP_VALUE = 0x12;

/** The fields of a message by their tags. */
const byTag: ReadonlyMap<MessageName, ReadonlyMap<number, Field>> = new Map(
  [...FIELDS].map(([name, fields]) => [name, new Map(fields.map((field) => [tagOf(field), field]))]),
);

/**
 * Decodes a payload.
 *
 * Described messages give a plain object with every scalar (its default when absent on the wire) and the sub-messages
 * that were present; Struct gives an object, ListValue an array, Value the value itself, Empty `{}`.
 *
 * @throws ProtocolError `MALFORMED_MESSAGE` or `NESTING_TOO_DEEP`
 */
export function decodeMessage(type: MessageName, payload: Buffer): unknown {
  return readMessage(type, new Reader(payload));
}

/**
 * Encodes a message as `decodeMessage` gives it; fields left out count as absent.
 *
 * @throws ProtocolError `UNENCODABLE_VALUE` for a value that its field cannot hold
 */
export function encodeMessage(type: MessageName, value: unknown): Buffer {
  const writer = new Writer();
  writeMessage(writer, type, value);
  return writer.take();
}

/** As {@link decodeMessage}, from a reader that is narrowed to the message. */
export function readMessage(type: MessageName, reader: Reader): unknown {
  switch (type) {
    case 'Empty':
      return {};
    case 'Value':
      return readValue(reader);
    case 'Struct':
      return readStruct(reader);
    case 'ListValue':
      return readList(reader);
    default:
      return readFields(type, reader);
  }
}

/** As {@link encodeMessage}, into a writer. */
export function writeMessage(writer: Writer, type: MessageName, value: unknown): void {
  switch (type) {
    case 'Empty':
      return;
    case 'Value':
      writeValue(writer, value);
      return;
    case 'Struct':
      writeStruct(writer, expectObject(type, '', value));
      return;
    case 'ListValue':
      if (!Array.isArray(value)) throw unencodable(type, '', value);
      writeList(writer, value);
      return;
    default: {
      const members = expectObject(type, '', value) as Fields;
      for (const field of FIELDS.get(type) as readonly Field[]) {
        const member = members[field.name];
        if (member !== undefined && member !== null) writeField(writer, type, field, member);
        else if (member === null && field.kind === 'value') writeField(writer, type, field, member);
      }
    }
  }
}

function tagOf(field: Field): number {
  return field.number * 8 + WIRE_TYPES[field.kind];
}

function readFields(type: MessageName, reader: Reader): Fields {
  const fields = byTag.get(type) as ReadonlyMap<number, Field>;
  const members = defaultsOf(type);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = fields.get(tag);
    if (field === undefined) reader.skip(tag, type);
    else readField(reader, field, members);
  }
  return members;
}

function defaultsOf(type: MessageName): Fields {
  const members: Fields = {};
  for (const field of FIELDS.get(type) as readonly Field[]) {
    if (field.explicit) continue;
    switch (field.kind) {
      case 'string':
        members[field.name] = '';
        break;
      case 'bytes':
        members[field.name] = Buffer.alloc(0);
        break;
      case 'bool':
        members[field.name] = false;
        break;
      case 'int32':
      case 'int64':
      case 'double':
        members[field.name] = 0;
        break;
      case 'string[]':
      case 'bytes[]':
      case 'message[]':
        members[field.name] = [];
        break;
      case 'map<bytes>':
        members[field.name] = {};
        break;
      default:
    }
  }
  return members;
}

function readField(reader: Reader, field: Field, members: Fields): void {
  switch (field.kind) {
    case 'string':
      members[field.name] = reader.text();
      return;
    case 'bytes':
      members[field.name] = reader.byteString();
      return;
    case 'bool':
      members[field.name] = reader.bool();
      return;
    case 'int32':
      members[field.name] = reader.int32();
      return;
    case 'int64':
      members[field.name] = reader.int64();
      return;
    case 'double':
      members[field.name] = reader.double();
      return;
    case 'string[]':
      (members[field.name] as string[]).push(reader.text());
      return;
    case 'bytes[]':
      (members[field.name] as Buffer[]).push(reader.byteString());
      return;
    default: {
      const outer = reader.enter();
      readPart(reader, field, members);
      reader.leave(outer);
    }
  }
}

function readPart(reader: Reader, field: Field, members: Fields): void {
  switch (field.kind) {
    case 'value':
      members[field.name] = readValue(reader);
      return;
    case 'struct':
      members[field.name] = readStruct(reader);
      return;
    case 'message':
      members[field.name] = readMessage(field.message as MessageName, reader);
      return;
    case 'message[]':
      (members[field.name] as unknown[]).push(readMessage(field.message as MessageName, reader));
      return;
    case 'map<bytes>':
      readMapEntry(reader, members[field.name] as Fields);
      return;
    default:
      throw malformed(`field ${field.name}`);
  }
}

function readMapEntry(reader: Reader, map: Fields): void {
  let key = '';
  let value: Buffer = Buffer.alloc(0);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === MAP_KEY) key = reader.text();
    else if (tag === MAP_VALUE) value = reader.byteString();
    else reader.skip(tag);
  }
  setOwn(map, key, value);
}

function writeField(writer: Writer, type: MessageName, field: Field, member: unknown): void {
  const tag = tagOf(field);
  switch (field.kind) {
    case 'string':
    case 'bytes': {
      const text = expectText(type, field, member);
      if (text.length === 0 && !field.explicit) return;
      writer.varint(tag);
      writer.text(text);
      return;
    }
    case 'bool':
      if (typeof member !== 'boolean') throw unencodable(type, field.name, member);
      if (!member) return;
      writer.varint(tag);
      writer.varint(1);
      return;
    case 'int32':
    case 'int64': {
      const number = expectInteger(type, field, member);
      if (number === 0) return;
      writer.varint(tag);
      writer.varint(number);
      return;
    }
    case 'double':
      if (typeof member !== 'number') throw unencodable(type, field.name, member);
      if (member === 0) return;
      writer.varint(tag);
      writer.double(member);
      return;
    case 'string[]':
    case 'bytes[]':
      for (const element of expectList(type, field, member)) {
        writer.varint(tag);
        writer.text(expectText(type, field, element));
      }
      return;
    case 'map<bytes>':
      for (const [key, value] of Object.entries(expectObject(type, field.name, member))) {
        writer.varint(tag);
        const mark = writer.open();
        writer.varint(MAP_KEY);
        writer.text(key);
        writer.varint(MAP_VALUE);
        writer.text(expectText(type, field, value));
        writer.close(mark);
      }
      return;
    case 'message[]':
      for (const element of expectList(type, field, member)) writePart(writer, type, field, tag, element);
      return;
    default:
      writePart(writer, type, field, tag, member);
  }
}

function writePart(writer: Writer, type: MessageName, field: Field, tag: number, member: unknown): void {
  writer.varint(tag);
  const mark = writer.open();
  if (field.kind === 'value') writeValue(writer, member);
  else if (field.kind === 'struct') writeStruct(writer, expectObject(type, field.name, member));
  else writeMessage(writer, field.message as MessageName, member);
  writer.close(mark);
}

function expectText(type: MessageName, field: Field, value: unknown): string | Uint8Array {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw unencodable(type, field.name, value);
}

function expectInteger(type: MessageName, field: Field, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (field.kind === 'int64' ? Number.isSafeInteger(value) : value === (value | 0)) return value;
  }
  throw unencodable(type, field.name, value);
}

function expectObject(type: MessageName, field: string, value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw unencodable(type, field, value);
}

function expectList(type: MessageName, field: Field, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unencodable(type, field.name, value);
}

function unencodable(type: MessageName, field: string, value: unknown): ProtocolError {
  const where = field === '' ? type : `${type}.${field}`;
  const what = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
  return new ProtocolError('UNENCODABLE_VALUE', `${where} cannot hold ${what === 'number' ? value : what}`);
}
