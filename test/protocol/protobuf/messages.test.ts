import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMessage, encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { MAX_VALUE_DEPTH, NIL } from '../../../src/protocol/protobuf/value.js';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

test('values survive a round trip', () => {
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true }),
      fc.string({ unit: 'binary' }).filter((text) => Buffer.from(text).toString() === text),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(values, (value) => {
      assert.deepEqual(decodeMessage('Value', encodeMessage('Value', value)), value);
    }),
  );
});

test('null is null_value 0, Kong’s nil is null_value 1, and both are read as null', () => {
  assert.equal(encodeMessage('Value', null).toString('hex'), '0800');
  assert.equal(encodeMessage('Value', NIL).toString('hex'), '0801');
  assert.equal(decodeMessage('Value', hex('0801')), null);
  assert.equal(decodeMessage('Value', hex('')), undefined);
});

test('integers keep their sign and their size', () => {
  for (const created_at of [0, 1, 127, 128, 2 ** 31, 2 ** 53 - 1, -1, -(2 ** 40)]) {
    const bytes = encodeMessage('Consumer', { id: 'x', created_at });
    assert.equal((decodeMessage('Consumer', bytes) as { created_at: number }).created_at, created_at);
  }
  assert.equal(encodeMessage('Int', { v: -1 }).toString('hex'), '08ffffffffffffffffff01');
  assert.deepEqual(decodeMessage('Int', hex('08ffffffffffffffffff01')), { v: -1 });
});

test('parts of any length are framed by the shortest length', () => {
  for (const length of [0, 1, 47, 48, 126, 127, 128, 129, 16383, 16384, 70000]) {
    const text = 'é'.repeat(length >> 1) + 'a'.repeat(length & 1);
    const bytes = encodeMessage('KV', { k: text, v: { [text]: [text] } });
    assert.deepEqual(decodeMessage('KV', bytes), { k: text, v: { [text]: [text] } });
  }
});

test('a header named __proto__ is a member like any other', () => {
  const bytes = encodeMessage('Struct', JSON.parse('{"__proto__": ["a", "b"], "constructor": "c"}'));
  const headers = decodeMessage('Struct', bytes) as Record<string, unknown>;
  assert.deepEqual(Object.keys(headers), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(headers), Object.prototype);
});

test('text that is not UTF-8 is read as Latin-1, and nothing else is', () => {
  assert.deepEqual(decodeMessage('String', hex('0a03 63e921')), { v: 'cé!' });
  assert.deepEqual(decodeMessage('String', hex('0a05 c3a9e282ac')), { v: 'é€' });
});

test('the cache of keys does not mix up names that differ only beyond ASCII', () => {
  const key = (bytes: string) => Object.keys(decodeMessage('Struct', hex(bytes)) as object)[0];
  for (let round = 0; round < 2; round++) {
    assert.equal(key('0a04 0a02 c3a9'), 'é');
    assert.equal(key('0a04 0a02 c3e9'), 'Ãé');
    assert.equal(key('0a04 0a02 6162'), 'ab');
  }
});

test('unknown fields are skipped, whatever their type', () => {
  assert.deepEqual(decodeMessage('Int', hex('1005 1a0161 210000000000000000 2d00000000 0807')), { v: 7 });
});

test('malformed messages are refused with what was wrong', () => {
  const refused = (type: Parameters<typeof decodeMessage>[0], bytes: string, message: RegExp) =>
    assert.throws(() => decodeMessage(type, hex(bytes)), { code: 'MALFORMED_MESSAGE', message });
  refused('String', '0a05 61', /ends beyond/);
  refused('Int', '08', /ends beyond/);
  refused('Int', '08 ffffffffffffffffffffff01', /more than 10 bytes/);
  refused('Int', '00 01', /field number 0/);
  refused('Int', '0f', /wire type 7/);
  refused('Struct', '0a 04 0a 09 61 61', /ends beyond/);
});

test('nesting is bounded in both directions', () => {
  let value: unknown = 1;
  for (let i = 0; i < MAX_VALUE_DEPTH + 1; i++) value = [value];
  assert.throws(() => encodeMessage('Value', value), { code: 'NESTING_TOO_DEEP' });
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.throws(() => encodeMessage('Value', cycle), { code: 'NESTING_TOO_DEEP' });
  let bytes: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 200; i++) {
    const list = encodeMessage('ByteString', { v: bytes });
    bytes = Buffer.concat([hex('32'), encodeMessage('ByteString', { v: list }).subarray(1)]);
  }
  assert.throws(() => decodeMessage('Value', bytes), { code: 'NESTING_TOO_DEEP' });
});

test('values that a field cannot hold are named with the field', () => {
  const refused = (type: Parameters<typeof encodeMessage>[0], value: unknown, message: RegExp) =>
    assert.throws(() => encodeMessage(type, value), { code: 'UNENCODABLE_VALUE', message });
  refused('Int', { v: 1.5 }, /Int\.v cannot hold 1\.5/);
  refused('Int', { v: 2 ** 31 }, /Int\.v/);
  refused('Target', { host: 5 }, /Target\.host/);
  refused('KV', { k: 'a', v: () => 1 }, /function cannot be sent/);
  refused('Struct', ['a'], /Struct cannot hold an array/);
});
