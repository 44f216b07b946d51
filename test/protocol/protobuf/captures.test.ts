import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_FRAME, encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../../src/protocol/protobuf/methods.js';
import {
  decodeRpcCall,
  decodeRpcReturn,
  encodeRpcCall,
  encodeRpcReturn,
} from '../../../src/protocol/protobuf/rpc.js';
import { type Conversation, captures, isWholeHex, type RecordedCall } from '../../support/captures.js';

const calls = captures<RecordedCall[]>('protobuf/methods.json');
const conversations = captures<Conversation[]>('protobuf/conversations.json');

/** Recorded to see what Kong makes of bytes that no encoder would send. */
const MALFORMED_ARGS = new Set(['args do not decode (endless varint)', 'unknown field 2 only']);

test('the table has the 74 functions of ProtoBuf:1', () => {
  assert.equal(PROTOBUF_METHODS.size, 74);
});

test('recorded arguments decode and encode to the same bytes', () => {
  let compared = 0;
  for (const call of calls) {
    const method = PROTOBUF_METHODS.get(call.method);
    if (
      method === undefined ||
      !isWholeHex(call.argsHex) ||
      call.argsTruncated ||
      MALFORMED_ARGS.has(call.note ?? '')
    )
      continue;
    const args = decodeMessage(method.args, Buffer.from(call.argsHex, 'hex'));
    assert.equal(
      encodeMessage(method.args, args).toString('hex'),
      call.argsHex,
      `${call.method} ${call.note}`,
    );
    compared++;
  }
  assert.ok(compared > 200, `only ${compared} vectors compared`);
});

test('recorded replies survive a round trip', () => {
  let compared = 0;
  for (const call of calls) {
    const method = PROTOBUF_METHODS.get(call.method);
    if (method === undefined || !isWholeHex(call.replyHex) || call.replyTruncated) continue;
    const reply = decodeMessage(method.result, Buffer.from(call.replyHex, 'hex'));
    const again = decodeMessage(method.result, encodeMessage(method.result, reply));
    assert.deepEqual(again, reply, `${call.method} ${call.note}`);
    compared++;
  }
  assert.ok(compared > 150, `only ${compared} vectors compared`);
});

test('recorded replies decode to what was seen', () => {
  const seen = (method: string, note: string) => {
    const call = calls.find((c) => c.method === method && c.note === note) as RecordedCall;
    const { result } = PROTOBUF_METHODS.get(method) as { result: Parameters<typeof decodeMessage>[0] };
    return decodeMessage(result, Buffer.from(call.replyHex as string, 'hex'));
  };
  assert.deepEqual(seen('kong.ctx.shared.get', 'set then get in one event: false'), null);
  assert.deepEqual(seen('kong.ctx.shared.get', 'set then get in one event: nested map'), {
    n: 1,
    l: [1, 2],
    m: { k: 'v' },
    a: 'x',
  });
  assert.equal((seen('kong.request.get_headers', 'v=100') as Record<string, unknown>)['x-latin'], 'cé!');
  assert.deepEqual((seen('kong.request.get_headers', 'v=100') as Record<string, unknown>)['x-two'], [
    'a',
    'b',
  ]);
  assert.deepEqual(seen('kong.request.get_query', 'v=2'), { a: true, b: '1' });
  assert.deepEqual(seen('kong.client.load_consumer', 'by username'), {
    id: 'a1a1a1a1-0000-4000-8000-000000000001',
    created_at: 1795349797,
    username: 'alice',
    custom_id: 'c-alice',
    tags: ['vip'],
  });
});

test('recorded commands and answers survive a round trip, and our frames are Kong’s byte for byte', () => {
  let frames = 0;
  for (const { name, frames: recorded = [] } of conversations) {
    if (name.startsWith('garbage')) continue;
    for (const frame of recorded) {
      if (!isWholeHex(frame.wireHex)) continue;
      const wire = Buffer.from(frame.wireHex, 'hex');
      if (frame.what?.startsWith('RpcCall')) {
        const payload = payloadsOf(wire)[0] as Buffer;
        const call = decodeRpcCall(payload);
        assert.deepEqual(decodeRpcCall(encodeRpcCall(call)), call, name);
        assert.equal(call.sequence, (frame.decoded as { sequence: number }).sequence);
        frames++;
      } else if (frame.what === 'RpcReturn') {
        const payload = payloadsOf(wire)[0] as Buffer;
        const answer = decodeRpcReturn(payload);
        assert.equal(encodeFrame(encodeRpcReturn(answer)).toString('hex'), frame.wireHex, name);
        frames++;
      } else if (frame.what === 'empty frame + RpcReturn') {
        const [empty, payload] = payloadsOf(wire) as [Buffer, Buffer];
        assert.equal(empty.length, 0);
        const ours = Buffer.concat([EMPTY_FRAME, encodeFrame(encodeRpcReturn(decodeRpcReturn(payload)))]);
        assert.equal(ours.toString('hex'), frame.wireHex, name);
        frames++;
      }
    }
  }
  assert.ok(frames > 100, `only ${frames} frames compared`);
});

function payloadsOf(wire: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  new FrameReader((payload) => payloads.push(Buffer.from(payload))).push(wire);
  return payloads;
}
