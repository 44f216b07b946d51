import fc from 'fast-check';
import { FIELDS, type Field, type MessageName } from '../../../src/protocol/protobuf/schema.js';

export const ALL_TYPES: readonly MessageName[] = [...FIELDS.keys(), 'Empty', 'Value', 'Struct', 'ListValue'];

/** Letters that have one byte in Latin-1 and two in UTF-8 are rare among all that there are. */
export const latin = fc.string({
  unit: fc.integer({ min: 0x60, max: 0xff }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});

// Lengths around the borders of what the writer does: its loop for short text, lengths of one, two and three bytes.
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 2, arbitrary: latin },
  { weight: 2, arbitrary: fc.integer({ min: 40, max: 135 }).map((length) => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.integer({ min: 16_370, max: 16_390 }).map((length) => 'x'.repeat(length)) },
);
const bytes = fc
  .oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 120, maxLength: 140, size: 'max' }))
  .map((array) => Buffer.from(array));
const key = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 45 }) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '0', '') },
);

/** A map with keys of the client's choice. */
const dictionary = <T>(member: fc.Arbitrary<T>) =>
  fc.dictionary(key, member, { maxKeys: 5, noNullPrototype: true });

/** What a google.protobuf.Value gives and takes alike. */
export const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    dictionary(tie('value')),
  ),
})).value;

/** Contents of a message of a type, as `decodeMessage` gives them: every scalar, and some of the sub-messages. */
export function contents(type: MessageName): fc.Arbitrary<unknown> {
  const known = made.get(type);
  if (known !== undefined) return known;
  const arbitrary = make(type);
  made.set(type, arbitrary);
  return arbitrary;
}

const made = new Map<MessageName, fc.Arbitrary<unknown>>();

function make(type: MessageName): fc.Arbitrary<unknown> {
  switch (type) {
    case 'Empty':
      return fc.constant({});
    case 'Value':
      return value;
    case 'Struct':
      return dictionary(value);
    case 'ListValue':
      return fc.array(value, { maxLength: 8 });
    default:
      return record(FIELDS.get(type) as readonly Field[]);
  }
}

function record(fields: readonly Field[]): fc.Arbitrary<unknown> {
  const members = (list: readonly Field[]) =>
    Object.fromEntries(list.map((field) => [field.name, member(field)]));
  if (fields.length === 0) return fc.constant({});
  if (fields.every(({ explicit }) => explicit)) {
    const one = fields.map((field) => fc.record(members([field]), { noNullPrototype: true }));
    return fc.oneof(fc.constant({}), ...one);
  }
  const requiredKeys = fields
    .filter(({ kind }) => !['value', 'struct', 'message'].includes(kind))
    .map(({ name }) => name);
  return fc.record(members(fields), { requiredKeys, noNullPrototype: true });
}

function member(field: Field): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'string':
      return text;
    case 'bytes':
      return bytes;
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'double':
      // A negative zero counts as the default, which is not written.
      return fc.double().map((number) => (number === 0 ? 0 : number));
    case 'string[]':
      return fc.array(text, { maxLength: 4 });
    case 'bytes[]':
      return fc.array(bytes, { maxLength: 4 });
    case 'map<bytes>':
      return dictionary(bytes);
    case 'value':
      return value;
    case 'struct':
      return contents('Struct');
    case 'message':
      return contents(field.message as MessageName);
    case 'message[]':
      return fc.array(contents(field.message as MessageName), { maxLength: 4 });
  }
}
