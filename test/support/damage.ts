import fc from 'fast-check';
import { ProtocolError } from '../../src/protocol/errors.js';

// A counterexample of many parts could be made smaller for minutes; nobody waits that long for a failing test.
fc.configureGlobal({ interruptAfterTimeLimit: 10_000 });

/** One way to spoil bytes; `at` is a fraction, so that it fits bytes of any length. */
interface Damage {
  readonly at: number;
  readonly kind: 'flip' | 'cut' | 'splice' | 'insert' | 'overwrite';
  readonly bit: number;
  readonly with: Buffer;
}

/** Lengths and counts beyond everything, varints without an end, and depth, in both protocols' spelling. */
const NASTY = [
  'ffffffff0f',
  'ffffffffffffffffff01',
  'ffffffffffffffffffffffff',
  '0affffffff0f',
  'c6ffffffff',
  'dbffffffff',
  'ddffffffff',
  'dfffffffff',
  'c1',
  '0b0c0e0f',
  '91'.repeat(300),
].map((hex) => Buffer.from(hex, 'hex'));

/** What came out, or the code of the ProtocolError that came instead. Any other error goes on to fail the test. */
export function outcome<T>(work: () => T): { result: T } | { code: string } {
  try {
    return { result: work() };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { code: error.code };
  }
}

/** A place in bytes of any length. `fc.double` would give places next to the beginning nearly always. */
export const fraction = fc.nat(10_000).map((number) => number / 10_000);

/** Any bytes up to a length. */
export const anyBytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: 'max' }).map((bytes) => Buffer.from(bytes));

/** Many bytes, cheaply: for what has to be long but not special. */
export const manyBytes = (maxLength: number) =>
  fc
    .tuple(fc.nat(maxLength), fc.uint8Array({ minLength: 1, maxLength: 8 }))
    .map(([length, pattern]) => Buffer.alloc(length, pattern));

/** Bytes that were good until something happened to them, perhaps several times. `good` is also what gets spliced in. */
export function damaged(good: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const damage: fc.Arbitrary<Damage> = fc.record(
    {
      at: fraction,
      kind: fc.constantFrom<Damage['kind'][]>('flip', 'cut', 'splice', 'insert', 'overwrite'),
      bit: fc.nat(7),
      with: fc.oneof(anyBytes(12), fc.constantFrom(...NASTY), good),
    },
    { noNullPrototype: true },
  );
  return fc.tuple(good, fc.array(damage, { minLength: 1, maxLength: 3 })).map(([bytes, list]) => {
    let spoilt: Buffer = Buffer.from(bytes);
    for (const one of list) spoilt = apply(spoilt, one);
    return spoilt;
  });
}

function apply(bytes: Buffer, { at, kind, bit, with: other }: Damage): Buffer {
  const place = Math.min(Math.floor(at * (bytes.length + 1)), bytes.length);
  const head = bytes.subarray(0, place);
  switch (kind) {
    case 'flip':
      if (place < bytes.length) bytes[place] = (bytes[place] as number) ^ (1 << bit);
      return bytes;
    case 'cut':
      return Buffer.from(head);
    case 'splice':
      return Buffer.concat([head, other]);
    case 'insert':
      return Buffer.concat([head, other, bytes.subarray(place)]);
    case 'overwrite':
      return Buffer.concat([head, other, bytes.subarray(place + other.length)]);
  }
}

/** Sizes of pieces, used again and again until a stream ends; empty pieces are among them, but not alone. */
export const pieceSizes = (max: number) =>
  fc
    .array(fc.oneof(fc.nat(max), fc.nat(6)), { minLength: 1, maxLength: 20 })
    .map((sizes) => (sizes.some((size) => size > 0) ? sizes : [...sizes, 1]));

export function* pieces(stream: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] as number;
    // A copy, since a socket's pieces do not lie in one memory either.
    yield Buffer.from(stream.subarray(at, at + size));
    at += size;
  }
}
