import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';

function readAll(chunks: Buffer[], maxFrameBytes?: number): Buffer[] {
  const frames: Buffer[] = [];
  const reader = new FrameReader((payload) => frames.push(Buffer.from(payload)), maxFrameBytes);
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

test('frames come out whole however the stream is split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }),
      (payloads, sizes) => {
        const stream = Buffer.concat(payloads.map((payload) => encodeFrame(payload)));
        const chunks: Buffer[] = [];
        for (let pos = 0, i = 0; pos < stream.length; i++) {
          const size = sizes[i % sizes.length] as number;
          chunks.push(stream.subarray(pos, pos + size));
          pos += size;
        }
        assert.deepEqual(
          readAll(chunks),
          payloads.map((payload) => Buffer.from(payload)),
        );
      },
    ),
  );
});

test('a stream split at every byte gives the same frames', () => {
  const stream = Buffer.concat([encodeFrame(Buffer.alloc(0)), encodeFrame(Buffer.from('abc'))]);
  const chunks = [...stream].map((byte) => Buffer.from([byte]));
  assert.deepEqual(readAll(chunks), [Buffer.alloc(0), Buffer.from('abc')]);
});

test('a 10 MB frame in 4 KB pieces is copied a bounded number of times', (t) => {
  let copied = 0;
  const set = Uint8Array.prototype.set;
  const copy = Buffer.prototype.copy;
  t.mock.method(
    Uint8Array.prototype,
    'set',
    function (this: Uint8Array, source: Uint8Array, offset?: number) {
      copied += source.length;
      set.call(this, source, offset);
    },
  );
  t.mock.method(Buffer.prototype, 'copy', function (this: Buffer, ...args: Parameters<typeof copy>) {
    const bytes = copy.apply(this, args);
    copied += bytes;
    return bytes;
  });
  const body = Buffer.alloc(10 * 1024 * 1024, 7);
  const stream = Buffer.allocUnsafe(body.length + 4);
  stream.writeUInt32LE(body.length, 0);
  body.copy(stream, 4);
  copied = 0;
  let length = 0;
  const reader = new FrameReader((payload) => {
    length = payload.length;
  });
  for (let pos = 0; pos < stream.length; pos += 4096) reader.push(stream.subarray(pos, pos + 4096));
  assert.equal(length, body.length);
  assert.ok(copied < 4 * stream.length, `${copied} bytes copied for ${stream.length}`);
});

test('an announced length above the limit is refused at once, with both numbers', () => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(0x7fffffff, 0);
  assert.throws(() => readAll([length]), {
    code: 'FRAME_TOO_LARGE',
    message: /2147483647 bytes.*limit is 16777216/,
  });
  assert.throws(() => readAll([encodeFrame(Buffer.alloc(11))], 10), { code: 'FRAME_TOO_LARGE' });
  assert.equal(readAll([encodeFrame(Buffer.alloc(10))], 10).length, 1);
});

test('bytes that were only announced hold no memory', () => {
  const readers: FrameReader[] = [];
  const announced = Buffer.alloc(5);
  announced.writeUInt32LE(16 * 1024 * 1024, 0);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1000; i++) {
    const reader = new FrameReader(() => {});
    reader.push(announced);
    readers.push(reader);
  }
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(readers.length === 1000 && held < 1024 * 1024, `${held} bytes held`);
});
