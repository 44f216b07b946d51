import { decodeMessage, encodeMessage } from './messages.js';
import { Reader } from './reader.js';
import type { Writer } from './writer.js';

// The fields of the one command that every request brings, and of its answer.
const SEQUENCE = 0x08;
const CMD_HANDLE_EVENT = 36 * 8 + 2;
const INSTANCE_ID = 0x08;
const EVENT_NAME = 0x12;

/** A command from Kong: exactly one of the `cmd_…` members is set. */
export interface RpcCall {
  sequence: number;
  cmd_get_plugin_names?: Record<string, never>;
  cmd_get_plugin_info?: { name: string };
  cmd_start_instance?: { name: string; config: Buffer };
  cmd_get_instance_status?: { instance_id: number };
  cmd_close_instance?: { instance_id: number };
  cmd_handle_event?: { instance_id: number; event_name: string };
}

/** The answer to the command with the same `sequence`. */
export interface RpcReturn {
  sequence: number;
  plugin_names?: { names: string[] };
  plugin_info?: {
    name: string;
    updated_at: number;
    loaded_at: number;
    phases: string[];
    version: string;
    priority: number;
    schema: string;
  };
  instance_status?: { name: string; instance_id: number; config?: unknown; started_at: number };
}

/** @throws ProtocolError when the payload is no RpcCall */
export function decodeRpcCall(payload: Buffer): RpcCall {
  return decodeEventCall(payload) ?? (decodeMessage('RpcCall', payload) as RpcCall);
}

/** The command of every request, read without a detour through the table of fields; undefined for any other. */
function decodeEventCall(payload: Buffer): RpcCall | undefined {
  const reader = new Reader(payload);
  let sequence = 0;
  let event: RpcCall['cmd_handle_event'];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === SEQUENCE) sequence = reader.int64();
    else if (tag === CMD_HANDLE_EVENT) event = decodeEvent(reader);
    else return undefined;
  }
  return event && { sequence, cmd_handle_event: event };
}

function decodeEvent(reader: Reader): NonNullable<RpcCall['cmd_handle_event']> {
  const outer = reader.enter();
  let instance_id = 0;
  let event_name = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === INSTANCE_ID) instance_id = reader.int32();
    else if (tag === EVENT_NAME) event_name = reader.key();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { instance_id, event_name };
}

export function encodeRpcCall(call: RpcCall): Buffer {
  return encodeMessage('RpcCall', call);
}

/** @throws ProtocolError when the payload is no RpcReturn */
export function decodeRpcReturn(payload: Buffer): RpcReturn {
  return decodeMessage('RpcReturn', payload) as RpcReturn;
}

export function encodeRpcReturn(answer: RpcReturn): Buffer {
  return encodeMessage('RpcReturn', answer);
}

/** Writes the answer to an event: an RpcReturn with nothing but its sequence. */
export function writeEventReturn(writer: Writer, sequence: number): void {
  if (sequence === 0) return;
  writer.varint(SEQUENCE);
  writer.varint(sequence);
}
