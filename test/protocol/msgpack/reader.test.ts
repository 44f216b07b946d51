import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { ProtocolError } from '../../../src/protocol/errors.js';
import { BoundaryScanner } from '../../../src/protocol/msgpack/boundary.js';
import { encode } from '../../../src/protocol/msgpack/encode.js';
import type { MessageLimits } from '../../../src/protocol/msgpack/limits.js';
import { MessageReader } from '../../../src/protocol/msgpack/reader.js';

function readAll(pieces: Iterable<Buffer>, limits?: Partial<MessageLimits>): unknown[] {
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => messages.push(message), limits);
  for (const piece of pieces) reader.push(piece);
  assert.equal(reader.midMessage, false, 'the stream ended inside a message');
  return messages;
}

function* cut(stream: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < stream.length; at += size) yield stream.subarray(at, at + size);
}

function rejects(hex: string, code: string, limits?: Partial<MessageLimits>): ProtocolError {
  const reader = new MessageReader(() => assert.fail('a message came out'), limits);
  try {
    reader.push(Buffer.from(hex, 'hex'));
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`${hex} was accepted`);
}

const SAMPLES: unknown[] = [
  [0, 1, 'plugin.HandleEvent', [{ InstanceId: 7112000, EventName: 'access' }]],
  null,
  'x'.repeat(300),
  Buffer.alloc(70_000, 7),
  { nested: { list: [1, [2, [3, []]], {}], text: 'é€', float: 1.5, long: -5_000_000_000 } },
  [],
  {},
  '',
  Buffer.alloc(0),
  Array.from({ length: 20 }, (_, i) => i * 1000),
];
const STREAM = Buffer.concat(SAMPLES.map(encode));

test('two pieces, cut at every byte', () => {
  const sample = Buffer.concat(SAMPLES.filter((value) => !Buffer.isBuffer(value)).map(encode));
  for (let at = 1; at < sample.length; at++) {
    const again = readAll([sample.subarray(0, at), sample.subarray(at)]).map(encode);
    assert.ok(Buffer.concat(again).equals(sample), `cut at ${at}`);
  }
});

test('any pieces, empty ones among them', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const pieces: Buffer[] = [];
      let at = 0;
      for (const length of lengths) {
        pieces.push(STREAM.subarray(at, at + length));
        at += length;
      }
      pieces.push(STREAM.subarray(at));
      assert.deepEqual(readAll(pieces), SAMPLES);
    }),
    { numRuns: 200 },
  );
});

test('a message is delivered with its last byte, not later', () => {
  const bytes = encode(['a', 'b']);
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  reader.push(bytes.subarray(0, bytes.length - 1));
  assert.deepEqual([messages, reader.midMessage], [[], true]);
  reader.push(bytes.subarray(bytes.length - 1));
  assert.deepEqual([messages, reader.midMessage], [[['a', 'b']], false]);
});

test('10 MB in 4 KB pieces: the bytes are copied together once', (t) => {
  const body = Buffer.alloc(10 * 1024 * 1024, 'body');
  const stream = encode([0, 1, 'plugin.Step', [{ EventId: 3, Data: body }]]);
  let copied = 0;
  const concat = Buffer.concat;
  t.mock.method(Buffer, 'concat', (list: readonly Uint8Array[], total?: number) => {
    const joined = concat(list, total);
    copied += joined.length;
    return joined;
  });
  const copy = Buffer.prototype.copy;
  t.mock.method(Buffer.prototype, 'copy', function (this: Buffer, ...args: Parameters<typeof copy>) {
    const bytes = copy.apply(this, args);
    copied += bytes;
    return bytes;
  });
  const [message] = readAll(cut(stream, 4096)) as [[number, number, string, [{ Data: Buffer }]]];
  assert.ok(message[3][0].Data.equals(body));
  assert.ok(copied >= body.length && copied < 1.1 * stream.length, `${copied} bytes copied`);
});

test('40,000 values in 4 KB pieces: each byte is looked at once', (t) => {
  const list = Array<number>(40_000).fill(1);
  const stream = encode(list);
  let looks = 0;
  const scan = BoundaryScanner.prototype.scan;
  t.mock.method(
    BoundaryScanner.prototype,
    'scan',
    function (this: BoundaryScanner, chunk: Uint8Array, at: number) {
      const watched = new Proxy(chunk, {
        get(bytes, key) {
          if (key === 'length') return bytes.length;
          looks++;
          return bytes[Number(key)];
        },
      });
      return scan.call(this, watched, at);
    },
  );
  assert.deepEqual(readAll(cut(stream, 4096)), [list]);
  assert.equal(looks, stream.length);
});

test('bytes that arrive one by one are not kept as one object each', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const body = Buffer.alloc(256 * 1024, 1);
  let received: unknown;
  const reader = new MessageReader((message) => {
    received = message;
  });
  const stream = encode(body);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let at = 0; at < stream.length - 1; at++) reader.push(Buffer.from([stream[at] as number]));
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  reader.push(stream.subarray(-1));
  assert.deepEqual(received, body);
  // An object per byte comes to 25 MB.
  assert.ok(grown < 4 * 1024 * 1024, `${grown} bytes`);
});

test('what a header claims costs nothing and is refused at once', () => {
  for (const claim of [
    'ddffffffff',
    'dfffffffff',
    'dbffffffff',
    'c6ffffffff',
    'dd7fffffff',
    '91dbffffffff',
  ]) {
    const error = rejects(claim, 'FRAME_TOO_LARGE');
    assert.match(error.message, /limit is 16777216/);
  }
});

test('size limit: the last byte that fits, and one more', () => {
  const fits = encode(Buffer.alloc(95)); // 97 bytes
  assert.equal(readAll([fits], { maxBytes: 97 }).length, 1);
  assert.equal(readAll(cut(Buffer.concat([fits, fits]), 10), { maxBytes: 97 }).length, 2);
  rejects(fits.toString('hex'), 'FRAME_TOO_LARGE', { maxBytes: 96 });
  const scalars = encode([1, 2, 3, 4]);
  assert.deepEqual(readAll([scalars], { maxBytes: 5 }), [[1, 2, 3, 4]]);
  rejects(scalars.toString('hex'), 'FRAME_TOO_LARGE', { maxBytes: 4 });
});

test('depth limit, however it is chunked', () => {
  const nested = (depth: number) => `${'91'.repeat(depth - 1)}90`;
  assert.equal(readAll([Buffer.from(nested(128), 'hex')]).length, 1);
  rejects(nested(129), 'NESTING_TOO_DEEP');
  rejects('91'.repeat(100_000), 'NESTING_TOO_DEEP');
  rejects(`${'8101'.repeat(200)}c0`, 'NESTING_TOO_DEEP');
  assert.throws(() => readAll(cut(Buffer.from('91'.repeat(1000), 'hex'), 1)), { code: 'NESTING_TOO_DEEP' });
});

test('the number of values is limited: a million empty maps are small on the wire only', () => {
  const maps = Buffer.alloc(5 + 2_000_000, 0x80);
  maps[0] = 0xdd;
  maps.writeUInt32BE(2_000_000, 1);
  rejects(maps.subarray(0, 5).toString('hex'), 'FRAME_TOO_LARGE');
  assert.deepEqual(readAll([encode([1, 2])], { maxValues: 3 }), [[1, 2]]);
  rejects(encode([1, 2, 3]).toString('hex'), 'FRAME_TOO_LARGE', { maxValues: 3 });
  rejects(encode([[1], 2]).toString('hex'), 'FRAME_TOO_LARGE', { maxValues: 3 });
});

test('bytes that start no value are refused, also inside, and name their place', () => {
  assert.match(rejects('c1', 'MALFORMED_MESSAGE').message, /0xc1 at byte 0/);
  assert.match(rejects('9201c1', 'MALFORMED_MESSAGE').message, /0xc1 at byte 2/);
  for (const ext of ['c70001', 'c8000101', 'c90000000101', 'd40100', 'd5', 'd6ff00000000', 'd7', 'd8']) {
    rejects(ext, 'MALFORMED_MESSAGE');
  }
});

test('a map key that is no key is refused', () => {
  assert.match(rejects('81c001', 'MALFORMED_MESSAGE').message, /map key at byte 1 is nil/);
  rejects('819001', 'MALFORMED_MESSAGE');
  rejects('818001', 'MALFORMED_MESSAGE');
});

test('messages in front of a fault are delivered, and the stream stays lost after it', () => {
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  assert.throws(() => reader.push(Buffer.from('01a161c1', 'hex')), { code: 'MALFORMED_MESSAGE' });
  assert.deepEqual(messages, [1, 'a']);
  assert.throws(() => reader.push(Buffer.from('01', 'hex')), { code: 'MALFORMED_MESSAGE' });
  assert.deepEqual(messages, [1, 'a']);
});

test('an error of the receiver passes through and the reader stands at the next message', () => {
  const messages: unknown[] = [];
  const reader = new MessageReader((message) => {
    if (message === 'bad') throw new TypeError('receiver');
    messages.push(message);
  });
  reader.push(encode(1));
  assert.throws(() => reader.push(encode('bad')), TypeError);
  reader.push(encode(2));
  assert.deepEqual(messages, [1, 2]);
});

test('random bytes end in messages or a ProtocolError, never in anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (bytes, size) => {
      const reader = new MessageReader(() => {});
      try {
        for (const piece of cut(Buffer.from(bytes), size)) reader.push(piece);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
