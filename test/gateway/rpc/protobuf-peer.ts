import type { Socket } from 'node:net';
import { EMPTY_FRAME, encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../../src/protocol/protobuf/methods.js';
import {
  decodeRpcCall,
  encodeRpcReturn,
  type RpcCall,
  type RpcReturn,
} from '../../../src/protocol/protobuf/rpc.js';
import { Peer } from './peer.js';

export function listen(path?: string): Promise<Peer<Buffer>> {
  return Peer.listen((onItem) => new FrameReader((frame) => onItem(Buffer.from(frame))), path);
}

/** The empty frame and the RpcReturn that end an event. */
export function endOfEvent(answer: RpcReturn): Buffer {
  return Buffer.concat([EMPTY_FRAME, encodeFrame(encodeRpcReturn(answer))]);
}

/** A PDK call: the method's name and its arguments, as two frames. */
export function pdkCall(name: string, args: unknown): Buffer {
  const type = PROTOBUF_METHODS.get(name)?.args ?? 'Empty';
  return Buffer.concat([encodeFrame(Buffer.from(name)), encodeFrame(encodeMessage(type, args))]);
}

export async function nextCommand(peer: Peer<Buffer>): Promise<{ socket: Socket; call: RpcCall }> {
  const { socket, item } = await peer.nextItem();
  return { socket, call: decodeRpcCall(item) };
}

/** Expects a start_instance and answers it with this id. */
export async function answerStart(peer: Peer<Buffer>, instanceId: number): Promise<RpcCall> {
  const { socket, call } = await nextCommand(peer);
  if (!call.cmd_start_instance) throw new Error(`expected start_instance: ${JSON.stringify(call)}`);
  const status = { name: call.cmd_start_instance.name, instance_id: instanceId, started_at: 1_700_000_000 };
  socket.write(encodeFrame(encodeRpcReturn({ sequence: call.sequence, instance_status: status })));
  return call;
}

/** Expects a handle_event and ends it at once. */
export async function finishEvent(peer: Peer<Buffer>): Promise<Socket> {
  const { socket, call } = await nextCommand(peer);
  if (!call.cmd_handle_event) throw new Error(`expected handle_event: ${JSON.stringify(call)}`);
  socket.write(endOfEvent({ sequence: call.sequence }));
  return socket;
}
