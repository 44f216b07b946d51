import fc from 'fast-check';
import { FIELDS, type MessageName } from '../../../src/protocol/protobuf/schema.js';

// The wire form once more, in few lines and slowly, so that the reader and the writer are not their own judges.

type Shape = MessageName | 'StructEntry' | 'MapEntry';

export const WIRE_TYPES = { VARINT: 0, FIXED64: 1, LENGTH_DELIMITED: 2, FIXED32: 5 } as const;

export function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}

/** A length-delimited field. */
export function part(number: number, body: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + WIRE_TYPES.LENGTH_DELIMITED), varint(body.length), body]);
}

/** A field of any number in a wire type, with a body that fits it. */
export function field(number: number, wireType: number, seed: Buffer): Buffer {
  const body = Buffer.alloc(8, seed.length > 0 ? seed : Buffer.from([1]));
  const tag = varint(number * 8 + wireType);
  switch (wireType) {
    case WIRE_TYPES.VARINT:
      return Buffer.concat([tag, varint(body.readUIntLE(0, 6))]);
    case WIRE_TYPES.FIXED64:
      return Buffer.concat([tag, body]);
    case WIRE_TYPES.FIXED32:
      return Buffer.concat([tag, body.subarray(0, 4)]);
    default:
      return part(number, seed);
  }
}

const seed = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));

/** Fields that no message here has: of other numbers, or of known numbers with a wire type that none of them uses. */
const unknownField = fc.oneof(
  fc
    .tuple(fc.integer({ min: 100, max: 2 ** 29 - 1 }), fc.constantFrom(...Object.values(WIRE_TYPES)), seed)
    .map(([number, wireType, bytes]) => field(number, wireType, bytes)),
  fc
    .tuple(fc.integer({ min: 1, max: 40 }), seed)
    .map(([number, bytes]) => field(number, WIRE_TYPES.FIXED32, bytes)),
);

/** What to put between fields, used in turn. */
export const unknownFields = fc.array(fc.oneof(unknownField, fc.constant(Buffer.alloc(0))), {
  minLength: 1,
  maxLength: 8,
});

/** Puts fields of others between all fields of a message, and of the messages inside it. */
export function sprinkle(type: MessageName, message: Buffer, others: readonly Buffer[]): Buffer {
  let turn = 0;
  const other = () => others[turn++ % others.length] as Buffer;
  const rewrite = (shape: Shape, bytes: Buffer): Buffer => {
    const out = [other()];
    for (const { number, raw, body } of fieldsOf(bytes)) {
      const inner = body === undefined ? undefined : shapeOf(shape, number);
      out.push(inner === undefined ? raw : part(number, rewrite(inner, body as Buffer)), other());
    }
    return Buffer.concat(out);
  };
  return rewrite(type, message);
}

/** The lengths at which a message could end, too. */
export function fieldEnds(message: Buffer): Set<number> {
  const ends = new Set([0]);
  let at = 0;
  for (const { raw } of fieldsOf(message)) {
    at += raw.length;
    ends.add(at);
  }
  return ends;
}

function* fieldsOf(bytes: Buffer): Generator<{ number: number; raw: Buffer; body?: Buffer }> {
  let at = 0;
  const next = () => {
    let value = 0;
    let shift = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error(`not what a message looks like: ${bytes.toString('hex')}`);
      value += (byte & 0x7f) * shift;
      shift *= 128;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = next();
    const number = Math.floor(tag / 8);
    if (tag % 8 === WIRE_TYPES.VARINT) next();
    else if (tag % 8 === WIRE_TYPES.FIXED64) at += 8;
    else if (tag % 8 === WIRE_TYPES.FIXED32) at += 4;
    else {
      const length = next();
      at += length;
      yield { number, raw: bytes.subarray(start, at), body: bytes.subarray(at - length, at) };
      continue;
    }
    yield { number, raw: bytes.subarray(start, at) };
  }
}

/** What kind of message a length-delimited field holds; undefined for text. */
function shapeOf(shape: Shape, number: number): Shape | undefined {
  switch (shape) {
    case 'Value':
      return number === 5 ? 'Struct' : number === 6 ? 'ListValue' : undefined;
    case 'Struct':
      return 'StructEntry';
    case 'StructEntry':
      return number === 2 ? 'Value' : undefined;
    case 'ListValue':
      return 'Value';
    case 'MapEntry':
      return undefined;
    default: {
      const found = FIELDS.get(shape)?.find((candidate) => candidate.number === number);
      if (found?.kind === 'value') return 'Value';
      if (found?.kind === 'struct') return 'Struct';
      return found?.kind === 'map<bytes>' ? 'MapEntry' : found?.message;
    }
  }
}

/** A Value in a Value, from the inside to the outside: `kinds` says, level by level, whether it is a list. */
export function nested(kinds: readonly boolean[], innermost = Buffer.from([0x08, 0x00])): Buffer {
  const parts: Buffer[] = [innermost];
  let length = innermost.length;
  const wrap = (number: number) => {
    const head = Buffer.concat([varint(number * 8 + WIRE_TYPES.LENGTH_DELIMITED), varint(length)]);
    parts.push(head);
    length += head.length;
  };
  for (const isList of kinds) {
    // In a Struct the Value is field 2 of an entry; the entry's key is left out, which is the empty one.
    if (isList) wrap(1);
    else {
      wrap(2);
      wrap(1);
    }
    wrap(isList ? 6 : 5);
  }
  return Buffer.concat(parts.reverse());
}
