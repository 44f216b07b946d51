import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeRequest } from '../../src/protocol/msgpack/messages.js';
import { encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeRpcCall, type RpcCall } from '../../src/protocol/protobuf/rpc.js';
import { sniffProtocol } from '../../src/server/sniff.js';

const LIMIT = 16 * 1024 * 1024;
/** Lengths whose four bytes also begin a request with an id of 4 or of 8 bytes. */
const AMBIGUOUS = new Set([0x00ce0094, 0x00cf0094]);

/** What begins as `expected` must be taken for nothing else, however little of it is there, and for that in the end. */
function assertSniffed(bytes: Buffer, expected: 'protobuf' | 'msgpack'): void {
  let decided = false;
  for (let length = 0; length <= bytes.length; length++) {
    const protocol = sniffProtocol(bytes.subarray(0, length));
    if (protocol === undefined) assert.ok(!decided, `undecided again after ${length} bytes`);
    else {
      decided = true;
      assert.equal(protocol, expected, `${length} bytes of ${bytes.toString('hex')}`);
    }
  }
  assert.ok(decided, `undecided after ${bytes.toString('hex')}`);
}

const command = fc.oneof(
  fc.constant<Omit<RpcCall, 'sequence'>>({ cmd_get_plugin_names: {} }),
  fc.string({ maxLength: 20 }).map((name) => ({ cmd_get_plugin_info: { name } })),
  fc
    .record({ instance_id: fc.nat(), event_name: fc.constantFrom('access', 'log', 'rewrite') })
    .map((cmd_handle_event) => ({ cmd_handle_event })),
);
const call = fc
  .tuple(fc.maxSafeNat(), command)
  .map(([sequence, rest]) => encodeRpcCall({ sequence, ...rest }));

const METHODS = [
  'plugin.HandleEvent',
  'plugin.StartInstance',
  'plugin.GetPluginInfo',
  'plugin.Step',
  'plugin.StepMemoryStats',
];
const request = (id: fc.Arbitrary<number>) =>
  fc
    .tuple(id, fc.constantFrom(...METHODS), fc.array(fc.string({ maxLength: 5 }), { maxLength: 2 }))
    .map(([n, method, args]) => encodeRequest(n, method, args));

test('a ProtoBuf command, however it is cut', () => {
  fc.assert(
    fc.property(call, (payload) => {
      assertSniffed(encodeFrame(payload), 'protobuf');
    }),
    { numRuns: 300 },
  );
});

test('a frame of any length: those that begin as a request does are among them', () => {
  const length = fc.oneof(
    fc.integer({ min: 1, max: LIMIT }),
    fc.integer({ min: 0, max: LIMIT / 256 - 1 }).map((high) => high * 256 + 0x94),
    fc.integer({ min: 0, max: LIMIT / 65_536 - 1 }).map((high) => high * 65_536 + 0x94),
  );
  fc.assert(
    fc.property(length, call, (announced, payload) => {
      // These need more bytes than a short command has; see below.
      fc.pre(!AMBIGUOUS.has(announced));
      const head = Buffer.alloc(4);
      head.writeUInt32LE(announced);
      assertSniffed(Buffer.concat([head, payload.subarray(0, announced)]), 'protobuf');
    }),
    { numRuns: 1000 },
  );
});

test('a MsgPack request with an id of up to 32 bits, however it is cut', () => {
  const id = fc.oneof(
    fc.nat(300),
    fc.integer({ min: 65_000, max: 66_000 }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.nat(255).map((high) => high * 2 ** 24),
  );
  fc.assert(
    fc.property(request(id), (bytes) => {
      assertSniffed(bytes, 'msgpack');
    }),
    { numRuns: 1000 },
  );
});

test('a MsgPack request with an id beyond 32 bits', () => {
  fc.assert(
    fc.property(request(fc.integer({ min: 2 ** 32, max: Number.MAX_SAFE_INTEGER })), (bytes) => {
      assertSniffed(bytes, 'msgpack');
    }),
  );
});

test('a frame whose length looks like a request', () => {
  fc.assert(
    fc.property(fc.constantFrom(...AMBIGUOUS), call, (announced, payload) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(announced);
      assertSniffed(Buffer.concat([head, payload, Buffer.alloc(20, payload)]), 'protobuf');
    }),
  );
});
