import type { PluginCaller } from '../plugin-port.js';
import { MsgpackCaller } from './msgpack-caller.js';
import type { RpcOptions } from './options.js';
import { ProtobufCaller } from './protobuf-caller.js';

/** Kong's side of a plugin server's socket, in one of the two protocols that Kong speaks. */
export function createPluginCaller(protocol: 'protobuf' | 'msgpack', options: RpcOptions): PluginCaller {
  return protocol === 'protobuf' ? new ProtobufCaller(options) : new MsgpackCaller(options);
}
