import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode } from '../../../src/protocol/msgpack/decode.js';
import { encode } from '../../../src/protocol/msgpack/encode.js';
import {
  decodeMessage,
  encodeNotification,
  encodeRequest,
  encodeResponse,
} from '../../../src/protocol/msgpack/messages.js';
import { RawString } from '../../../src/protocol/msgpack/raw-string.js';
import { MessageReader } from '../../../src/protocol/msgpack/reader.js';
import { anyBytes, damaged, manyBytes, outcome, pieceSizes, pieces } from '../../support/damage.js';

const letters = (border: number) =>
  fc
    .tuple(fc.integer({ min: -2, max: 2 }), fc.constantFrom('x', 'é'))
    .map(([off, letter]) => letter + 'x'.repeat(border + off));
// Lengths around the borders of the forms are among them.
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), letters(32), letters(256));
const key = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: 'binary', maxLength: 45 }) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '0', '') },
);
const scalar = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 1, arbitrary: fc.integer() },
  { weight: 1, arbitrary: fc.maxSafeInteger() },
  // A negative zero travels as the integer 0.
  { weight: 1, arbitrary: fc.double().map((number) => (number === 0 ? 0 : number)) },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: anyBytes(40) },
  { weight: 1, arbitrary: fc.integer({ min: 14, max: 18 }).map((count) => Array(count).fill(count)) },
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 5 }) },
    {
      weight: 2,
      arbitrary: fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    },
  ),
}));
const id = fc.oneof(fc.nat(300), fc.nat(70_000), fc.maxSafeNat());

/** What a reader makes of a stream: the messages that came out, and how it ended. */
function readAll(chunks: Iterable<Buffer>) {
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  const end = outcome(() => {
    for (const chunk of chunks) reader.push(chunk);
    return reader.midMessage;
  });
  return { messages, end };
}

test('what is written is read again: values, requests, responses, notifications', () => {
  fc.assert(
    fc.property(
      value,
      fc.array(value, { maxLength: 3 }),
      id,
      fc.option(text),
      text,
      (any, args, n, error, name) => {
        assert.deepEqual(decode(encode(any)), any);
        assert.deepEqual(decodeMessage(encodeRequest(n, name, args)), {
          type: 'request',
          id: n,
          method: name,
          args,
        });
        assert.deepEqual(decodeMessage(encodeResponse(n, error, any)), {
          type: 'response',
          id: n,
          error,
          result: any,
        });
        assert.deepEqual(decodeMessage(encodeNotification(name, any)), {
          type: 'notification',
          label: name,
          args: any,
        });
      },
    ),
    { numRuns: 300 },
  );
});

test('long text, bytes and lists are read again', () => {
  const list = fc.integer({ min: 65_533, max: 65_538 }).map((count) => Array<number>(count).fill(1));
  fc.assert(
    fc.property(fc.oneof(letters(65_536), manyBytes(70_000), list), (any) => {
      assert.deepEqual(decode(encode([any, { [String(any)]: any }])), [any, { [String(any)]: any }]);
    }),
    { numRuns: 30 },
  );
});

test('text that is not UTF-8 comes back as the bytes that it was', () => {
  fc.assert(
    fc.property(fc.oneof(anyBytes(60), manyBytes(70_000)), (bytes) => {
      const read = decode(encode(new RawString(bytes))) as string;
      const again = Buffer.from(read, 'utf8').equals(bytes) ? bytes : Buffer.from(read, 'latin1');
      assert.deepEqual(again, bytes);
      // As a key it takes another way, and the second time a third one.
      for (let time = 0; time < 2; time++) {
        assert.deepEqual(decode(encode(new Map([[new RawString(bytes), 1]]))), { [read]: 1 });
      }
    }),
    { numRuns: 300 },
  );
});

test('a stream of messages, in any pieces: the same messages, each with its last byte', () => {
  const messages = fc.array(fc.oneof(value, manyBytes(20_000)), { maxLength: 8 });
  fc.assert(
    fc.property(messages, pieceSizes(2000), (list, sizes) => {
      const encoded = list.map((message) => encode(message));
      const ends: number[] = [];
      for (const bytes of encoded) ends.push((ends.at(-1) ?? 0) + bytes.length);
      const seen: unknown[] = [];
      const reader = new MessageReader((message) => seen.push(message));
      let given = 0;
      for (const piece of pieces(Buffer.concat(encoded), sizes)) {
        reader.push(piece);
        given += piece.length;
        assert.equal(seen.length, ends.filter((end) => end <= given).length);
        assert.equal(reader.midMessage, given > 0 && !ends.includes(given));
      }
      assert.deepEqual(seen, list);
    }),
    { numRuns: 200 },
  );
});

test('a message over the limit ends the stream, after the messages before it', () => {
  const messages = fc.array(fc.oneof(value, manyBytes(3000)), { maxLength: 8 });
  fc.assert(
    fc.property(
      messages,
      fc.nat(2000),
      fc.integer({ min: 1, max: 3000 }),
      pieceSizes(2000),
      (list, least, more, sizes) => {
        const encoded = list.map((message) => encode(message));
        // Bytes of a body, since nothing shorter than a header can be told from its header alone.
        const maxBytes = Math.max(least, 300, ...encoded.map((bytes) => bytes.length));
        const over = encode(Buffer.alloc(maxBytes + more - 3));
        const seen: unknown[] = [];
        const reader = new MessageReader((message) => seen.push(message), { maxBytes });
        for (const piece of pieces(Buffer.concat(encoded), sizes)) reader.push(piece);
        assert.deepEqual(seen, list);
        assert.deepEqual(
          outcome(() => reader.push(over.subarray(0, 5))),
          { code: 'FRAME_TOO_LARGE' },
        );
      },
    ),
    { numRuns: 200 },
  );
});

const spoilt = damaged(
  fc.oneof(
    value.map((any) => encode(any)),
    fc
      .tuple(id, text, fc.array(value, { maxLength: 2 }))
      .map(([n, name, args]) => encodeRequest(n, name, args)),
  ),
);

test('bytes of any kind give a ProtocolError, or what can be written and read again', () => {
  let read = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.oneof({ weight: 3, arbitrary: spoilt }, { weight: 1, arbitrary: anyBytes(80) }),
      (bytes) => {
        outcome(() => decodeMessage(bytes));
        const first = outcome(() => decode(bytes));
        if ('code' in first) {
          refused++;
          return;
        }
        read++;
        // Up to 128 levels are read, up to 100 are written.
        const again = outcome(() => encode(first.result));
        if ('code' in again) assert.equal(again.code, 'NESTING_TOO_DEEP');
        else assert.deepEqual(settled(decode(again.result)), settled(first.result));
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(read > 50 && refused > 500, `${read} read, ${refused} refused`);
});

/** Without the sign of zeros: -0 is written as the integer 0. */
function settled(any: unknown): unknown {
  if (any === 0) return 0;
  if (Array.isArray(any)) return any.map(settled);
  if (typeof any !== 'object' || any === null || Buffer.isBuffer(any)) return any;
  return Object.fromEntries(Object.entries(any).map(([name, member]) => [name, settled(member)]));
}

test('a stream of any bytes, in any pieces: the same messages and the same end', () => {
  fc.assert(
    fc.property(fc.oneof(spoilt, anyBytes(80)), pieceSizes(60), (stream, sizes) => {
      assert.deepEqual(readAll(pieces(stream, sizes)), readAll([stream]));
    }),
    { numRuns: 1500 },
  );
});

test('a stream gives exactly the messages that are values by themselves', () => {
  fc.assert(
    fc.property(fc.oneof(spoilt, anyBytes(12)), (bytes) => {
      const { messages, end } = readAll([bytes]);
      const alone = outcome(() => decode(bytes));
      if ('result' in alone)
        assert.deepEqual({ messages, end }, { messages: [alone.result], end: { result: false } });
      else
        assert.ok(
          'code' in end || end.result || messages.length !== 1,
          'a message that is no value by itself',
        );
    }),
    { numRuns: 1500 },
  );
});

test('values of any kind are written or refused with a ProtocolError', () => {
  const anything = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });
  fc.assert(
    fc.property(anything, (any) => {
      const written = outcome(() => encode(any));
      // A Map may have keys that are none to the reader.
      if ('result' in written) outcome(() => decode(written.result));
    }),
    { numRuns: 1000 },
  );
});

test('depth: what the reader takes is bounded, thousands of levels cost no stack, in any pieces', () => {
  const OPEN = ['91', '81a0', '92c0', 'dc0001', 'dd00000001', 'de0001a161', '81c400'].map((hex) =>
    Buffer.from(hex, 'hex'),
  );
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...OPEN), { minLength: 1, maxLength: 5 }),
      fc.oneof(fc.integer({ min: 125, max: 131 }), fc.integer({ min: 1000, max: 50_000 })),
      pieceSizes(200),
      (pattern, depth, sizes) => {
        const opened = Array.from({ length: depth }, (_, i) => pattern[i % pattern.length] as Buffer);
        const bytes = Buffer.concat([...opened, Buffer.from([0xc0])]);
        const alone = outcome(() => decode(bytes));
        if (depth > 128) {
          assert.deepEqual(alone, { code: 'NESTING_TOO_DEEP' });
          // Not only at the end, which may never come.
          assert.deepEqual(readAll(pieces(Buffer.concat(opened), sizes)).end, alone);
        } else {
          assert.ok('result' in alone);
          const streamed = readAll(pieces(bytes, sizes));
          assert.deepEqual(streamed, { messages: [alone.result], end: { result: false } });
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('depth: what encode follows is bounded, too', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 98, max: 103 }), fc.integer({ min: 1000, max: 50_000 })),
      (depth) => {
        let deep: unknown = null;
        for (let i = 0; i < depth; i++) deep = i % 2 === 0 ? [deep] : { a: deep };
        const written = outcome(() => encode(deep));
        if (depth > 100) assert.deepEqual(written, { code: 'NESTING_TOO_DEEP' });
        else assert.deepEqual(decode((written as { result: Buffer }).result), deep);
      },
    ),
    { numRuns: 30 },
  );
});

test('lengths and counts that are only announced are waited for or refused, and hold no memory', () => {
  const MIB = 1024 * 1024;
  const BYTES = [0xc6, 0xdb];
  const announcement = fc.record({
    first: fc.constantFrom(0xc6, 0xdb, 0xdd, 0xdf),
    count: fc.oneof(
      fc.integer({ min: 100_000, max: 500_000 }),
      fc.integer({ min: 15 * MIB, max: 16 * MIB - 64 }),
      fc.integer({ min: 16 * MIB, max: 2 ** 32 - 1 }),
    ),
    rest: fc.nat(20),
  });
  const used = () => {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return arrayBuffers + heapUsed;
  };
  // Kept, as connections keep theirs.
  const readers: MessageReader[] = [];
  let waiting = 0;
  fc.assert(
    fc.property(announcement, ({ first, count, rest }) => {
      const bytes = Buffer.from([0x94, 0x00, first, 0, 0, 0, 0, ...Array<number>(rest).fill(1)]);
      bytes.writeUInt32BE(count, 3);
      const before = used();
      const reader = new MessageReader(() => assert.fail('a message came out'));
      const end = outcome(() => reader.push(bytes));
      const alone = outcome(() => decode(bytes));
      const grown = used() - before;
      assert.ok(grown < MIB, `${grown} bytes for ${bytes.toString('hex')}`);
      assert.deepEqual(alone, { code: 'MALFORMED_MESSAGE' });
      const fits = count < (BYTES.includes(first) ? 16 * MIB : MIB);
      assert.deepEqual(end, fits ? { result: undefined } : { code: 'FRAME_TOO_LARGE' });
      assert.equal(reader.midMessage, fits);
      if (fits) waiting++;
      readers.push(reader);
    }),
    { numRuns: 300 },
  );
  assert.ok(waiting > 0 && waiting < readers.length, `${waiting} of ${readers.length} wait`);
});
