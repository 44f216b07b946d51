import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { decodeRpcCall } from '../../../src/protocol/protobuf/rpc.js';
import { FIELDS, type MessageName } from '../../../src/protocol/protobuf/schema.js';
import { MAX_VALUE_DEPTH } from '../../../src/protocol/protobuf/value.js';
import { anyBytes, damaged, fraction, manyBytes, outcome, pieceSizes, pieces } from '../../support/damage.js';
import { ALL_TYPES, contents } from './arbitraries.js';
import { field, fieldEnds, nested, part, sprinkle, unknownFields, varint, WIRE_TYPES } from './wire.js';

const anyType = fc.constantFrom(...ALL_TYPES);
const anyMessage = anyType.chain((type) =>
  fc.record({ type: fc.constant(type), content: contents(type) }, { noNullPrototype: true }),
);

/** The code of the error that a message is refused with. */
function refusal(type: MessageName, bytes: Buffer): string | undefined {
  const read = outcome(() => decodeMessage(type, bytes));
  return 'code' in read ? read.code : undefined;
}

test('an RpcCall is read alike with and without the short way, good or bad', () => {
  const events = contents('CmdHandleEvent').chain((cmd_handle_event) =>
    fc.nat().map((sequence) => encodeMessage('RpcCall', { sequence, cmd_handle_event })),
  );
  const commands = contents('RpcCall').map((call) => encodeMessage('RpcCall', call));
  const sprinkled = fc
    .tuple(events, unknownFields)
    .map(([bytes, others]) => sprinkle('RpcCall', bytes, others));
  const good = fc.oneof(events, sprinkled, commands);
  const codes = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(good, damaged(good)), (bytes) => {
      const long = outcome(() => decodeMessage('RpcCall', bytes));
      assert.deepEqual(
        outcome(() => decodeRpcCall(bytes)),
        long,
      );
      codes.add('code' in long ? long.code : 'none');
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual([...codes].sort(), ['MALFORMED_MESSAGE', 'none']);
});

test('a known field with the wrong wire type is skipped; groups and wire types 6 and 7 are refused', () => {
  const seed = Buffer.from([1, 2, 3]);
  for (const type of ALL_TYPES) {
    if (type === 'Empty') continue;
    const nothing = decodeMessage(type, Buffer.alloc(0));
    for (let number = 1; number <= 40; number++) {
      // What is skipped leaves no trace; what is taken does, or the body does not suit it.
      const taken: number[] = Object.values(WIRE_TYPES).filter((wireType) => {
        const bytes = field(number, wireType, seed);
        return refusal(type, bytes) !== undefined || !isDeepStrictEqual(decodeMessage(type, bytes), nothing);
      });
      assert.equal(taken.length, isKnown(type, number) ? 1 : 0, `field ${number} of ${type}: ${taken}`);
      for (const wireType of [3, 4, 6, 7]) {
        assert.equal(refusal(type, varint(number * 8 + wireType)), 'MALFORMED_MESSAGE');
      }
    }
  }
});

function isKnown(type: MessageName, number: number): boolean {
  if (type === 'Value') return number <= 6;
  if (type === 'Struct' || type === 'ListValue') return number === 1;
  return FIELDS.get(type)?.some((known) => known.number === number) ?? false;
}

test('lengths beyond the message are refused, wherever they stand, and nothing is reserved for them', () => {
  const before = process.memoryUsage().arrayBuffers;
  fc.assert(
    fc.property(
      anyMessage,
      fc.integer({ min: 1, max: 40 }),
      fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 2 ** 24, max: 2 ** 32 - 1 - 300 })),
      anyBytes(200),
      ({ type, content }, number, beyond, rest) => {
        if (type === 'Empty') return;
        const head = Buffer.concat([
          varint(number * 8 + WIRE_TYPES.LENGTH_DELIMITED),
          varint(rest.length + beyond),
        ]);
        const bytes = Buffer.concat([encodeMessage(type, content), head, rest]);
        assert.equal(refusal(type, bytes), 'MALFORMED_MESSAGE');
        const grown = process.memoryUsage().arrayBuffers - before;
        assert.ok(grown < 16 * 1024 * 1024, `${grown} bytes`);
      },
    ),
    { numRuns: 300 },
  );
});

test('a message that is cut off is refused, unless the cut is behind a field', () => {
  let refused = 0;
  fc.assert(
    fc.property(anyMessage, unknownFields, fraction, ({ type, content }, others, at) => {
      if (type === 'Empty') return;
      const whole = sprinkle(type, encodeMessage(type, content), others);
      const length = Math.floor(at * whole.length);
      const read = outcome(() => decodeMessage(type, whole.subarray(0, length)));
      if (fieldEnds(whole).has(length)) assert.ok('result' in read);
      else {
        refused++;
        assert.deepEqual(read, { code: 'MALFORMED_MESSAGE' });
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(refused > 100, `only ${refused} were refused`);
});

test('bytes of any kind give a ProtocolError, or what can be written and read again', () => {
  const spoilt = anyMessage.chain(({ type, content }) =>
    fc.tuple(
      fc.constant(type),
      damaged(
        fc.oneof(fc.constant(encodeMessage(type, content)), fc.constant(Buffer.from('0a0012001a00', 'hex'))),
      ),
    ),
  );
  const noise = fc.tuple(anyType, anyBytes(120));
  let read = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.oneof({ weight: 3, arbitrary: spoilt }, { weight: 1, arbitrary: noise }),
      ([type, bytes]) => {
        const first = outcome(() => decodeMessage(type, bytes));
        if ('code' in first) {
          refused++;
          return;
        }
        read++;
        // A number of more than 53 bits is read rounded, and there it ends.
        const again = outcome(() => encodeMessage(type, first.result));
        if ('code' in again) assert.equal(again.code, 'UNENCODABLE_VALUE');
        else assert.deepEqual(settled(decodeMessage(type, again.result as Buffer)), settled(first.result));
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(read > 100 && refused > 100, `${read} read, ${refused} refused`);
});

/** Without what has no form on the wire: members without a value, places in a list that hold none, a zero's sign. */
function settled(any: unknown): unknown {
  if (any === 0) return 0;
  if (Array.isArray(any)) return any.map((element) => (element === undefined ? null : settled(element)));
  if (typeof any !== 'object' || any === null || Buffer.isBuffer(any)) return any;
  const members = Object.entries(any).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, settled(member)]));
}

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
    fc.property(anyType, anything, anything, (type, any, inner) => {
      outcome(() => encodeMessage(type, any));
      const named = FIELDS.get(type)?.map(({ name }) => [name, inner]);
      if (named !== undefined) outcome(() => encodeMessage(type, Object.fromEntries(named)));
    }),
    { numRuns: 1000 },
  );
});

/** Which of the two containers stands on which level, from the inside. */
const levels = (min: number, max: number) =>
  fc
    .tuple(fc.integer({ min, max }), fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }))
    .map(([depth, pattern]) =>
      Array.from({ length: depth }, (_, i) => pattern[i % pattern.length] as boolean),
    );

/** Messages with a Value in them, each with the way to wrap it. */
const HOLDERS: readonly (readonly [MessageName, (bytes: Buffer) => Buffer])[] = [
  ['Value', (bytes) => bytes],
  ['ListValue', (bytes) => part(1, bytes)],
  ['Struct', (bytes) => part(1, part(2, bytes))],
  ['KV', (bytes) => part(2, bytes)],
  ['ExitArgs', (bytes) => part(3, part(1, part(2, bytes)))],
  ['RpcReturn', (bytes) => part(33, part(3, bytes))],
];

test('values in values: 64 levels are read and written, thousands are refused and cost no stack', () => {
  const depths = fc.oneof(levels(MAX_VALUE_DEPTH - 2, MAX_VALUE_DEPTH + 2), levels(1000, 6000));
  let fit = 0;
  fc.assert(
    fc.property(depths, fc.constantFrom(...HOLDERS), (containers, [type, wrap]) => {
      let content: unknown = null;
      for (const isList of containers) content = isList ? [content] : { '': content };
      const read = outcome(() => decodeMessage(type, wrap(nested(containers))));
      const written = outcome(() => encodeMessage('Value', content));
      if (containers.length > MAX_VALUE_DEPTH) {
        assert.deepEqual([read, written], [{ code: 'NESTING_TOO_DEEP' }, { code: 'NESTING_TOO_DEEP' }]);
        return;
      }
      fit++;
      assert.ok('result' in read && 'result' in written);
      assert.deepEqual(decodeMessage('Value', written.result), content);
      if (type === 'Value') assert.deepEqual(read.result, content);
    }),
    { numRuns: 30 },
  );
  assert.ok(fit > 0, 'none was within the limit');
});

test('deep values that are spoilt besides end in no other error', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(damaged(levels(30, 2000).map((containers) => nested(containers))), (bytes) => {
      for (const type of ['Value', 'ListValue', 'Struct'] as const) {
        const read = outcome(() => decodeMessage(type, bytes));
        seen.add('code' in read ? read.code : 'read');
      }
    }),
    { numRuns: 200 },
  );
  assert.deepEqual([...seen].sort(), ['MALFORMED_MESSAGE', 'NESTING_TOO_DEEP', 'read']);
});

const payloads = fc.array(fc.oneof(anyBytes(20), manyBytes(300), manyBytes(9000)), { maxLength: 8 });

test('a frame over the limit ends the stream, after the frames before it and before its own bytes', () => {
  const beyond = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 2 ** 32 - 20_000 }));
  fc.assert(
    fc.property(payloads, fc.nat(10_000), beyond, pieceSizes(3000), (list, least, more, sizes) => {
      const limit = Math.max(least, ...list.map((payload) => payload.length));
      const head = Buffer.alloc(4);
      head.writeUInt32LE(limit + more);
      const stream = Buffer.concat([...list.map((payload) => encodeFrame(payload)), head]);
      const frames: Buffer[] = [];
      const reader = new FrameReader((payload) => frames.push(Buffer.from(payload)), limit);
      const end = outcome(() => {
        for (const piece of pieces(stream, sizes)) reader.push(piece);
      });
      assert.deepEqual(end, { code: 'FRAME_TOO_LARGE' });
      assert.deepEqual(frames, list);
    }),
    { numRuns: 200 },
  );
});

test('a stream of any bytes, in any pieces: the same frames and the same end', () => {
  const read = (chunks: Iterable<Buffer>) => {
    const frames: Buffer[] = [];
    const reader = new FrameReader((payload) => frames.push(Buffer.from(payload)), 10_000);
    const end = outcome(() => {
      for (const chunk of chunks) reader.push(chunk);
      return reader.idle;
    });
    return { frames, end };
  };
  const streams = payloads.map((list) => Buffer.concat(list.map((payload) => encodeFrame(payload))));
  fc.assert(
    fc.property(damaged(streams), pieceSizes(500), (stream, sizes) => {
      assert.deepEqual(read(pieces(stream, sizes)), read([stream]));
    }),
    { numRuns: 300 },
  );
});

test('a message of more fields than anything of Kong’s has is refused before it fills the memory', () => {
  const frame = (pair: string, count: number) => Buffer.alloc(count * (pair.length / 2), pair, 'hex');
  for (const [name, pair] of [
    ['UriCapturesResult', '0a00'],
    ['MemoryStats', '1200'],
    ['RpcCall', '8a0200'],
  ] as const) {
    assert.throws(() => decodeMessage(name, frame(pair, 1_048_577)), { code: 'FRAME_TOO_LARGE' }, name);
  }
  const { unnamed } = decodeMessage('UriCapturesResult', frame('0a00', 1000)) as { unnamed: unknown[] };
  assert.equal(unnamed.length, 1000);
});
