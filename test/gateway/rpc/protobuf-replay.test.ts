import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { type ConfiguredPlugin, PluginEventError } from '../../../src/gateway/plugin-port.js';
import { ProtobufCaller } from '../../../src/gateway/rpc/protobuf-caller.js';
import type { Phase } from '../../../src/plugin/definition.js';
import { encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { decodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../../src/protocol/protobuf/methods.js';
import { decodeRpcCall, type RpcCall } from '../../../src/protocol/protobuf/rpc.js';
import {
  type Conversation,
  clientStatuses,
  conversation,
  isAccepted,
  type Step,
  scriptOf,
} from './conversations.js';
import type { Peer } from './peer.js';
import { answerStart, endOfEvent, finishEvent, listen } from './protobuf-peer.js';
import { RecordingHost } from './recording-host.js';

/** Conversations in which requests follow one another and the server does what its frames say. */
const REPLAYED = [
  'start_and_happy_path',
  'second_event',
  'no_pdk_call',
  'exit',
  'exit_then_frames',
  'pdk_lua_error',
  'unknown_method',
  'close_on_first_handle_event',
  'close_after_pdk_call',
  'close_on_start_instance',
  'idle_connection_closed_by_server',
  'garbage_wrong_sequence',
  'garbage_no_sequence',
  'garbage_undecodable_rpcreturn',
  'garbage_unknown_fields',
  'garbage_no_empty_frame',
  'garbage_binary_method',
  'garbage_length_ffffffff',
  'extra_frame_after_return',
  'start_instance_id_0',
  'start_instance_id_max',
  'pipelined_two_calls',
  'pipelined_final',
  'split_bytes',
  'log_close_loop',
  'close_right_after_pdk_call',
];

for (const name of REPLAYED) {
  test(`replays ${name}`, { timeout: 20_000 }, () => replay(conversation('protobuf', name)));
}

async function replay(recorded: Conversation): Promise<void> {
  const script = scriptOf(recorded);
  const calls = script.filter((step) => step.kind === 'expect').flatMap(recordedCall);
  const plugin = recordedPlugin(calls);
  const phase = (calls.find((call) => call.cmd_handle_event)?.cmd_handle_event?.event_name ??
    'access') as Phase;
  const peer = await listen();
  const caller = new ProtobufCaller({ socketPath: peer.path });
  try {
    const run = () => caller.handleEvent({ plugin, phase, host: new RecordingHost() });
    const sockets = new Map<number, Socket>();
    if (calls[0]?.cmd_handle_event) {
      // The recording begins with an instance that was started before it, and maybe with a pooled connection.
      const event = run();
      await answerStart(peer, calls[0].cmd_handle_event.instance_id);
      const socket = await finishEvent(peer);
      assert.equal(await event, 'done');
      const conn = script[0]?.conn ?? 0;
      if (isAccepted(recorded, conn)) {
        socket.end();
        await peer.closed(socket);
      } else {
        sockets.set(conn, socket);
      }
    }
    const played = play(peer, script, sockets);
    for (const status of clientStatuses(recorded)) {
      if (status === 500) await assert.rejects(run(), PluginEventError);
      else assert.equal(await run(), status === 403 ? 'exit' : 'done');
    }
    await played;
  } finally {
    caller.close();
    await peer.close();
  }
}

async function play(peer: Peer<Buffer>, script: Step[], sockets: Map<number, Socket>): Promise<void> {
  const methods: string[] = [];
  let sequence = { recorded: 0, actual: 0 };
  for (const step of script) {
    if (step.kind === 'close') {
      sockets.get(step.conn)?.destroySoon();
    } else if (step.kind === 'send') {
      for (const method of methodNames(step.wire)) methods.push(method);
      sockets.get(step.conn)?.write(withSequence(step.wire, sequence));
    } else {
      const { socket, item } = await peer.nextItem();
      const known = sockets.get(step.conn);
      if (known) assert.equal(socket, known, `${step.what}: on the same connection as with Kong`);
      else
        assert.ok(![...sockets.values()].includes(socket), `${step.what}: on a new connection, as with Kong`);
      sockets.set(step.conn, socket);
      const [expected] = recordedCall(step);
      if (expected) {
        const actual = decodeRpcCall(item);
        if (sequence.recorded) {
          assert.equal(actual.sequence - sequence.actual, expected.sequence - sequence.recorded);
        }
        sequence = { recorded: expected.sequence, actual: actual.sequence };
        assert.deepEqual(comparable(actual), comparable(expected));
      } else {
        const result = PROTOBUF_METHODS.get(methods.shift() ?? '')?.result ?? 'Empty';
        assert.deepEqual(decodeMessage(result, item), decodeMessage(result, payloadOf(step)), step.what);
      }
    }
  }
  const last = script.at(-1);
  if (last?.kind === 'expect' && last.what.startsWith('pdk reply') && !lastSendReturned(script)) {
    sockets.get(last.conn)?.write(endOfEvent({ sequence: sequence.actual }));
  }
}

function payloadOf(step: { wire: Buffer }): Buffer {
  return step.wire.subarray(4);
}

function recordedCall(step: Step): RpcCall[] {
  return step.kind === 'expect' && step.what.startsWith('RpcCall') ? [decodeRpcCall(payloadOf(step))] : [];
}

function recordedPlugin(calls: RpcCall[]): ConfiguredPlugin {
  const start = calls.find((call) => call.cmd_start_instance)?.cmd_start_instance;
  const config = start ? JSON.parse(start.config.toString()) : { __key__: 'plugins:pb-acc', num: 5 };
  return { key: `${config.__key__}:${config.__seq__}`, name: start?.name ?? 'pb-acc', config };
}

/** Sequence numbers are compared as differences, and the config as JSON: the order of its keys varies. */
function comparable({ sequence: _, ...call }: RpcCall): unknown {
  const start = call.cmd_start_instance;
  return start ? { ...start, config: JSON.parse(start.config.toString()) } : call;
}

function frames(wire: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  new FrameReader((payload) => payloads.push(payload), 2 ** 32).push(wire);
  return payloads;
}

function methodNames(wire: Buffer): string[] {
  return frames(wire)
    .map((payload) => payload.toString())
    .filter((text) => text.startsWith('kong.'));
}

function lastSendReturned(script: Step[]): boolean {
  const last = script.findLast((step) => step.kind === 'send');
  return last !== undefined && 'wire' in last && frames(last.wire).some((payload) => payload.length === 0);
}

/** The server's bytes with the recorded sequence number of its RpcReturn replaced by the one it was asked with. */
function withSequence(wire: Buffer, { recorded, actual }: { recorded: number; actual: number }): Buffer {
  const was = sequenceField(recorded);
  const parts = frames(wire);
  if (!parts.some((part) => part.subarray(0, was.length).equals(was))) return wire;
  return Buffer.concat(
    parts.map((part) =>
      part.subarray(0, was.length).equals(was)
        ? encodeFrame(Buffer.concat([sequenceField(actual), part.subarray(was.length)]))
        : encodeFrame(part),
    ),
  );
}

function sequenceField(sequence: number): Buffer {
  const bytes = [0x08];
  for (let rest = sequence; ; rest >>>= 7) {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) return Buffer.from(bytes);
  }
}
