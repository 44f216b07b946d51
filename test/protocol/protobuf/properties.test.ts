import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { readText, writeInt, writePair } from '../../../src/protocol/protobuf/frequent.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { FIELDS } from '../../../src/protocol/protobuf/schema.js';
import { Writer } from '../../../src/protocol/protobuf/writer.js';
import { anyBytes, manyBytes, pieceSizes, pieces } from '../../support/damage.js';
import { ALL_TYPES, contents, latin, value } from './arbitraries.js';
import { part, sprinkle, unknownFields } from './wire.js';

function encoded(write: (writer: Writer) => void): Buffer {
  const writer = new Writer();
  write(writer);
  return writer.take();
}

const anyType = fc.constantFrom(...ALL_TYPES);
const anyMessage = anyType.chain((type) =>
  fc.record({ type: fc.constant(type), content: contents(type) }, { noNullPrototype: true }),
);

for (const type of ALL_TYPES) {
  test(`${type}: what is written is read again`, () => {
    fc.assert(
      fc.property(contents(type), (content) => {
        assert.deepEqual(decodeMessage(type, encodeMessage(type, content)), content);
      }),
      { numRuns: 40 },
    );
  });
}

test('members that hold their default may be left out', () => {
  fc.assert(
    fc.property(anyMessage, ({ type, content }) => {
      if (!FIELDS.has(type) || type === 'RawBodyResult') return;
      const empty = decodeMessage(type, Buffer.alloc(0)) as Record<string, unknown>;
      const members = Object.entries(content as object);
      const sparse = members.filter(([name, member]) => !isDeepStrictEqual(member, empty[name]));
      assert.deepEqual(encodeMessage(type, Object.fromEntries(sparse)), encodeMessage(type, content));
    }),
    { numRuns: 200 },
  );
});

test('text is read as UTF-8 where it is, else one character per byte: in messages, values, keys', () => {
  fc.assert(
    fc.property(fc.oneof(anyBytes(60), fc.string({ unit: 'binary' }).map(Buffer.from)), (bytes) => {
      const text = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
      assert.deepEqual(decodeMessage('String', part(1, bytes)), { v: text });
      assert.equal(readText(part(1, bytes)), text);
      assert.equal(decodeMessage('Value', part(3, bytes)), text);
      assert.equal(decodeMessage('Value', encodeMessage('Value', bytes)), text);
      for (let again = 0; again < 2; again++) {
        assert.deepEqual(Object.keys(decodeMessage('Struct', part(1, part(1, bytes))) as object), [text]);
      }
    }),
    { numRuns: 300 },
  );
});

const NOTHING = Buffer.alloc(0);

test('the short ways to read and write say what the long ones say', () => {
  fc.assert(
    fc.property(
      fc.oneof(latin, fc.string({ unit: 'binary' })),
      fc.integer(),
      fc.option(value),
      (text, int, any) => {
        assert.deepEqual(
          encodeMessage('String', { v: text }),
          text === '' ? NOTHING : part(1, Buffer.from(text)),
        );
        assert.equal(readText(encodeMessage('String', { v: text })), text);
        assert.deepEqual(
          encoded((writer) => writeInt(writer, int)),
          encodeMessage('Int', { v: int }),
        );
        for (const pair of [{ k: text, v: any }, { k: text }]) {
          assert.deepEqual(
            encoded((writer) => writePair(writer, pair.k, pair.v)),
            encodeMessage('KV', pair),
          );
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('unknown fields are skipped, at every level', () => {
  let longer = 0;
  fc.assert(
    fc.property(anyMessage, unknownFields, ({ type, content }, others) => {
      const plain = encodeMessage(type, content);
      const bytes = sprinkle(type, plain, others);
      if (bytes.length > plain.length) longer++;
      assert.deepEqual(decodeMessage(type, bytes), content);
    }),
    { numRuns: 500 },
  );
  assert.ok(longer > 300, `only ${longer} messages had any`);
});

test('a stream of frames, in any pieces: the same frames, each with its last byte', () => {
  const payloads = fc.array(fc.oneof(anyBytes(20), manyBytes(300), manyBytes(20_000)), { maxLength: 10 });
  fc.assert(
    fc.property(payloads, pieceSizes(3000), (list, sizes) => {
      const stream = Buffer.concat(list.map((payload) => encodeFrame(payload)));
      const ends: number[] = [];
      for (const payload of list) ends.push((ends.at(-1) ?? 0) + 4 + payload.length);
      const frames: Buffer[] = [];
      const reader = new FrameReader((payload) => frames.push(Buffer.from(payload)));
      let given = 0;
      for (const piece of pieces(stream, sizes)) {
        reader.push(piece);
        given += piece.length;
        // A socket's memory may be used again: what is kept of a piece has to be a copy.
        piece.fill(0xee);
        assert.equal(frames.length, ends.filter((end) => end <= given).length);
        assert.equal(reader.idle, given === 0 || ends.includes(given));
      }
      assert.deepEqual(frames, list);
    }),
    { numRuns: 200 },
  );
});
