import { decodeMessage, encodeMessage } from './messages.js';

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
  return decodeMessage('RpcCall', payload) as RpcCall;
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
