import { ProtocolError } from '../errors.js';
import type { Reader } from './reader.js';
import type { Writer } from './writer.js';

/** Values inside values beyond this depth are refused in both directions. */
export const MAX_VALUE_DEPTH = 64;

/**
 * Lua's nil as Kong writes it into a `google.protobuf.Value`: null_value 1 (`08 01`), where everybody else's null is
 * null_value 0. Only Kong's side of the socket has a use for it.
 */
export const NIL: unique symbol = Symbol('nil');

/** A JavaScript value with a `google.protobuf.Value` form. */
export type Value =
  | null
  | typeof NIL
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value | undefined };

// Tags of google.protobuf.Value, Struct (a map: entries of key 1 and value 2) and ListValue.
const NULL_VALUE = 0x08;
const NUMBER_VALUE = 0x11;
const STRING_VALUE = 0x1a;
const BOOL_VALUE = 0x20;
const STRUCT_VALUE = 0x2a;
const LIST_VALUE = 0x32;
const ENTRY = 0x0a;
const ENTRY_KEY = 0x0a;
const ENTRY_VALUE = 0x12;

/** Reads a Value. Both nulls become `null`; a Value in which nothing is set is `undefined`. */
export function readValue(reader: Reader, depth = 0): unknown {
  let value: unknown;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case NULL_VALUE:
        reader.int32();
        value = null;
        break;
      case NUMBER_VALUE:
        value = reader.double();
        break;
      case STRING_VALUE:
        value = reader.text();
        break;
      case BOOL_VALUE:
        value = reader.bool();
        break;
      case STRUCT_VALUE: {
        const outer = reader.enter();
        value = readStruct(reader, deeper(depth));
        reader.leave(outer);
        break;
      }
      case LIST_VALUE: {
        const outer = reader.enter();
        value = readList(reader, deeper(depth));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag, 'Value');
    }
  }
  return value;
}

/** Reads a Struct into a plain object, in the order of the wire. */
export function readStruct(reader: Reader, depth = 0): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== ENTRY) {
      reader.skip(tag, 'Struct');
      continue;
    }
    const outerEntry = reader.enter();
    let key = '';
    let value: unknown;
    for (let inner = reader.tag(); inner !== 0; inner = reader.tag()) {
      if (inner === ENTRY_KEY) key = reader.key();
      else if (inner === ENTRY_VALUE) {
        const outerValue = reader.enter();
        value = readValue(reader, depth);
        reader.leave(outerValue);
      } else reader.skip(inner, 'FieldsEntry');
    }
    reader.leave(outerEntry);
    setOwn(fields, key, value);
  }
  return fields;
}

/** Reads a ListValue. */
export function readList(reader: Reader, depth = 0): unknown[] {
  const values: unknown[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== ENTRY) {
      reader.skip(tag, 'ListValue');
      continue;
    }
    const outer = reader.enter();
    values.push(readValue(reader, depth));
    reader.leave(outer);
  }
  return values;
}

/**
 * Writes the fields of a Value; nothing for `undefined`.
 *
 * @throws ProtocolError `UNENCODABLE_VALUE` for functions, symbols and bigints, `NESTING_TOO_DEEP` also for cycles
 */
export function writeValue(writer: Writer, value: unknown, depth = 0): void {
  switch (typeof value) {
    case 'string':
      writer.varint(STRING_VALUE);
      writer.text(value);
      return;
    case 'number':
      writer.varint(NUMBER_VALUE);
      writer.double(value);
      return;
    case 'boolean':
      writer.varint(BOOL_VALUE);
      writer.varint(value ? 1 : 0);
      return;
    case 'undefined':
      return;
    case 'object':
      writeObject(writer, value, depth);
      return;
    default:
      if (value === NIL) {
        writer.varint(NULL_VALUE);
        writer.varint(1);
        return;
      }
      throw new ProtocolError('UNENCODABLE_VALUE', `a ${typeof value} cannot be sent to Kong`);
  }
}

/** Writes the entries of a Struct. Members that are `undefined` are left out. */
export function writeStruct(writer: Writer, fields: object, depth = 0): void {
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    writer.varint(ENTRY);
    const entry = writer.open();
    writer.varint(ENTRY_KEY);
    writer.text(key);
    writer.varint(ENTRY_VALUE);
    const mark = writer.open();
    writeValue(writer, value, depth);
    writer.close(mark);
    writer.close(entry);
  }
}

/** Writes the elements of a ListValue; `undefined` becomes null so that positions are kept. */
export function writeList(writer: Writer, values: readonly unknown[], depth = 0): void {
  for (const value of values) {
    writer.varint(ENTRY);
    const mark = writer.open();
    writeValue(writer, value === undefined ? null : value, depth);
    writer.close(mark);
  }
}

function writeObject(writer: Writer, value: object | null, depth: number): void {
  if (value === null) {
    writer.varint(NULL_VALUE);
    writer.varint(0);
    return;
  }
  if (value instanceof Uint8Array) {
    writer.varint(STRING_VALUE);
    writer.text(value);
    return;
  }
  const isList = Array.isArray(value);
  writer.varint(isList ? LIST_VALUE : STRUCT_VALUE);
  const mark = writer.open();
  if (isList) writeList(writer, value, deeper(depth));
  else writeStruct(writer, value, deeper(depth));
  writer.close(mark);
}

/** A client chooses header names: `__proto__` must become a member like any other. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function deeper(depth: number): number {
  if (depth >= MAX_VALUE_DEPTH) {
    throw new ProtocolError('NESTING_TOO_DEEP', `values are nested more than ${MAX_VALUE_DEPTH} deep`);
  }
  return depth + 1;
}
