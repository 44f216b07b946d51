import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../src/protocol/errors.js';
import { decode } from '../../../src/protocol/msgpack/decode.js';
import { encode } from '../../../src/protocol/msgpack/encode.js';
import { RawString } from '../../../src/protocol/msgpack/raw-string.js';

// The encoder of the stock server, an independent implementation.
const require = createRequire(createRequire(import.meta.url).resolve('kong-pdk/server.js'));
const peer = require('@msgpack/msgpack') as {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
};

const hex = (value: unknown) => encode(value).toString('hex');
const unhex = (text: string) => decode(Buffer.from(text, 'hex'));

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ minLength: 30, maxLength: 34 }),
  fc.string({ minLength: 254, maxLength: 257 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, scalar, tie('array'), tie('map')),
  array: fc.array(tie('value'), { maxLength: 6 }),
  map: fc.dictionary(
    fc.string({ maxLength: 20 }).filter((key) => key !== '__proto__'),
    tie('value'),
    { maxKeys: 6, noNullPrototype: true },
  ),
}));

test('encodes any value to the bytes the stock server writes', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      assert.equal(hex(value), Buffer.from(peer.encode(value)).toString('hex'));
    }),
    { numRuns: 300 },
  );
});

test('decodes what the stock server writes', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const decoded = decode(peer.encode(value));
      // -0 travels as the integer 0, and peers return binary as Uint8Array.
      assert.deepEqual(normal(decoded), normal(value));
    }),
    { numRuns: 300 },
  );
});

function normal(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (value instanceof Uint8Array) return { binary: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, normal(member)]));
}

test('integers take their smallest form at every border', () => {
  const borders: [number, string][] = [
    [0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65535, 'cdffff'],
    [65536, 'ce00010000'],
    [4294967295, 'ceffffffff'],
    [4294967296, 'cf0000000100000000'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32768, 'd18000'],
    [-32769, 'd2ffff7fff'],
    [-2147483648, 'd280000000'],
    [-2147483649, 'd3ffffffff7fffffff'],
    [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
  ];
  for (const [number, bytes] of borders) {
    assert.equal(hex(number), bytes);
    assert.equal(unhex(bytes), number);
  }
});

test('other numbers: floats, 64-bit integers with the precision of a double, bigints', () => {
  assert.equal(hex(1.5), 'cb3ff8000000000000');
  assert.equal(hex(2 ** 60), 'cb43b0000000000000');
  assert.equal(unhex('ca3fc00000'), 1.5);
  assert.equal(unhex('cfffffffffffffffff'), 2 ** 64);
  assert.equal(unhex('d38000000000000000'), -(2 ** 63));
  assert.equal(hex(2n ** 64n - 1n), 'cfffffffffffffffff');
  assert.equal(hex(-(2n ** 63n)), 'd38000000000000000');
  assert.equal(hex(-1n), 'd3ffffffffffffffff');
  assert.throws(() => encode(2n ** 64n), { code: 'UNENCODABLE_VALUE' });
  assert.ok(Number.isNaN(unhex(hex(Number.NaN))));
});

test('strings: UTF-8 when it is, else one character per byte', () => {
  assert.equal(unhex('a3c3a921'), 'é!');
  assert.equal(unhex('a363e921'), 'c\u00e9!');
  assert.equal(unhex('a3efbfbd'), '\ufffd');
  const long = Buffer.concat([Buffer.from([0xd9, 40]), Buffer.alloc(39, 'a'), Buffer.from([0xff])]);
  assert.equal(decode(long), `${'a'.repeat(39)}\u00ff`);
  assert.equal(hex(RawString.fromLatin1('c\u00e9!')), 'a363e921');
  assert.equal(hex(new RawString(Buffer.alloc(300, 0xff))), `da012c${'ff'.repeat(300)}`);
  for (const length of [0, 1, 16, 17, 31, 32, 33, 255, 256, 65535, 65536]) {
    const text = 'x'.repeat(length);
    assert.equal(decode(encode(text)), text);
    const wide = `${'x'.repeat(Math.max(0, length - 1))}€`;
    assert.equal(decode(encode(wide)), wide);
  }
});

test('binary comes back as a Buffer, from any view of memory', () => {
  const memory = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(hex(memory.subarray(2, 5)), 'c403020304');
  assert.equal(hex(new DataView(memory.buffer, 1, 2)), 'c4020102');
  assert.deepEqual(unhex('c403020304'), Buffer.from([2, 3, 4]));
  for (const size of [0, 255, 256, 65535, 65536, 100_000]) {
    const bytes = Buffer.alloc(size, 9);
    assert.deepEqual(decode(encode(bytes)), bytes);
  }
});

test('counts take their smallest form', () => {
  for (const [count, head] of [
    [15, '9f'],
    [16, 'dc0010'],
    [65535, 'dcffff'],
    [65536, 'dd00010000'],
  ] as const) {
    const list = Array<number>(count).fill(1);
    assert.ok(hex(list).startsWith(head));
    assert.equal(hex(unhex(hex(list))), hex(list));
  }
  for (const [count, head] of [
    [15, '8f'],
    [16, 'de0010'],
    [65536, 'df00010000'],
  ] as const) {
    const map = Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    const bytes = hex(map);
    assert.ok(bytes.startsWith(head));
    assert.equal(hex(unhex(bytes)), bytes);
  }
});

test('members: undefined is nil, functions are left out, toJSON is asked', () => {
  assert.equal(hex({ a: undefined }), '81a161c0');
  assert.equal(hex({ a: () => 1, b: 1 }), '81a16201');
  assert.equal(hex([undefined, null]), '92c0c0');
  assert.equal(unhex(hex(new Date(0))), '1970-01-01T00:00:00.000Z');
  assert.equal(hex({ toJSON: () => decode(encode([1])) }), '9101');
  for (const value of [() => 1, Symbol('s'), [() => 1]]) {
    assert.throws(() => encode(value), { code: 'UNENCODABLE_VALUE' });
  }
});

test('cycles and depth end in an error, and the encoder works on after it', () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.throws(() => encode(cycle), { name: 'ProtocolError', code: 'NESTING_TOO_DEEP' });
  const self: { toJSON(): unknown } = { toJSON: () => self };
  assert.throws(() => encode(self), { code: 'NESTING_TOO_DEEP' });
  let deep: unknown = 1;
  for (let i = 0; i < 100; i++) deep = [deep];
  assert.equal(hex(deep), `${'91'.repeat(100)}01`);
  assert.throws(() => encode([deep]), { code: 'NESTING_TOO_DEEP' });
  assert.equal(hex(1), '01');
});

test('what encode returns is not changed by the next call', () => {
  const first = encode('first');
  const large = encode(Buffer.alloc(20_000, 1));
  encode('other');
  encode(Buffer.alloc(30_000, 2));
  assert.equal(decode(first), 'first');
  assert.deepEqual(decode(large), Buffer.alloc(20_000, 1));
});

test('map keys: numbers, booleans and binary become text; __proto__ is a key like any other', () => {
  assert.deepEqual(unhex('8400a130c40161a162c3a1742aa178'), { 0: '0', a: 'b', true: 't', 42: 'x' });
  const map = unhex('82a95f5f70726f746f5f5f81a8706f6c6c7574656401a16102') as Record<string, unknown>;
  assert.deepEqual(Object.keys(map), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(map), Object.prototype);
  assert.equal(map.polluted, undefined);
  assert.equal(hex(map), '82a95f5f70726f746f5f5f81a8706f6c6c7574656401a16102');
  assert.deepEqual(unhex('82a16101a16102'), { a: 2 });
});

test('decode takes exactly one value', () => {
  assert.equal(decode(Buffer.from('ffff01', 'hex'), 2), 1);
  assert.equal(decode(new Uint8Array([0xa1, 0x61])), 'a');
  for (const bytes of [
    '',
    'a2',
    'a261',
    'd9',
    'd905',
    '92',
    '9201',
    '81a161',
    'cd01',
    'cb00',
    'dcffff',
    'dfffffffff',
  ]) {
    assert.throws(() => unhex(bytes), { name: 'ProtocolError', code: 'MALFORMED_MESSAGE' }, bytes);
  }
  assert.throws(() => unhex('0102'), /1 bytes follow the value that ends at byte 1/);
  assert.throws(() => unhex('91'.repeat(200_000)), { code: 'NESTING_TOO_DEEP' });
});

test('random bytes: decode agrees with the stock decoder or throws a ProtocolError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      let value: unknown;
      try {
        value = decode(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
        return;
      }
      const again = decode(encode(value));
      assert.deepEqual(normal(again), normal(value));
    }),
    { numRuns: 1000 },
  );
});
