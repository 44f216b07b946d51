export { decode } from './decode.js';
export { encode } from './encode.js';
export type { MessageLimits } from './limits.js';
export {
  decodeMessage,
  encodeNotification,
  encodeRequest,
  encodeResponse,
  type NotificationMessage,
  parseMessage,
  type RequestMessage,
  type ResponseMessage,
  type RpcMessage,
} from './messages.js';
export { RawString } from './raw-string.js';
export { MessageReader } from './reader.js';
