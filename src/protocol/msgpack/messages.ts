import { ProtocolError } from '../errors.js';
import { decode } from './decode.js';
import { encode } from './encode.js';

/** `[0, id, method, args]`: Kong asks the plugin server, for example `plugin.HandleEvent`. */
export interface RequestMessage {
  type: 'request';
  /** Chosen by the asking side; the response repeats it. A whole number from 0 to 2^53 - 1. */
  id: number;
  method: string;
  args: unknown[];
}

/** `[1, id, error, result]`. */
export interface ResponseMessage {
  type: 'response';
  id: number;
  /** null when the request succeeded. Kong understands text only. */
  error: string | null;
  result: unknown;
}

/** `[2, label, args]`: needs no answer. Kong knows the label `serverPid`, whose args is a process id. */
export interface NotificationMessage {
  type: 'notification';
  label: string;
  args: unknown;
}

export type RpcMessage = RequestMessage | ResponseMessage | NotificationMessage;

const REQUEST = 0;
const RESPONSE = 1;
const NOTIFICATION = 2;

/** Encodes `[0, id, method, args]`. */
export function encodeRequest(id: number, method: string, args: readonly unknown[]): Buffer {
  return encode([REQUEST, id, method, args]);
}

/** Encodes `[1, id, error, result]`. With an error (text) the result should be null. */
export function encodeResponse(id: number, error: string | null, result: unknown): Buffer {
  return encode([RESPONSE, id, error, result]);
}

/** Encodes `[2, label, args]`. */
export function encodeNotification(label: string, args: unknown): Buffer {
  return encode([NOTIFICATION, label, args]);
}

/**
 * Decodes the bytes of one whole message.
 *
 * @throws {ProtocolError} as `decode` and `parseMessage`
 */
export function decodeMessage(bytes: Uint8Array): RpcMessage {
  return parseMessage(decode(bytes));
}

/**
 * Checks the shape of a decoded message, such as `MessageReader` delivers.
 *
 * @throws {ProtocolError} MALFORMED_MESSAGE that names the element which is wrong
 */
export function parseMessage(value: unknown): RpcMessage {
  if (!Array.isArray(value)) throw malformed('message', 'an array', value);
  switch (value[0]) {
    case REQUEST:
      return parseRequest(value);
    case RESPONSE:
      return parseResponse(value);
    case NOTIFICATION:
      return parseNotification(value);
    default:
      throw malformed('message type', '0, 1 or 2', value[0]);
  }
}

function parseRequest(message: unknown[]): RequestMessage {
  checkLength('request', message, 4);
  const [, id, method, args] = message;
  if (typeof method !== 'string') throw malformed('request method', 'a string', method);
  if (!Array.isArray(args)) throw malformed(`args of request ${method}`, 'an array', args);
  return { type: 'request', id: checkId('request id', id), method, args };
}

function parseResponse(message: unknown[]): ResponseMessage {
  checkLength('response', message, 4);
  const [, id, error, result] = message;
  if (error !== null && typeof error !== 'string')
    throw malformed('response error', 'nil or a string', error);
  return { type: 'response', id: checkId('response id', id), error, result };
}

function parseNotification(message: unknown[]): NotificationMessage {
  checkLength('notification', message, 3);
  const [, label, args] = message;
  if (typeof label !== 'string') throw malformed('notification label', 'a string', label);
  return { type: 'notification', label, args };
}

function checkId(what: string, id: unknown): number {
  if (Number.isSafeInteger(id) && (id as number) >= 0) return id as number;
  throw malformed(what, 'a whole number', id);
}

function checkLength(what: string, message: unknown[], length: number): void {
  if (message.length === length) return;
  throw new ProtocolError('MALFORMED_MESSAGE', `${what} has ${message.length} elements instead of ${length}`);
}

/** Names the kind of what came and numbers themselves, but no text: it may be a secret. */
function malformed(what: string, expected: string, got: unknown): ProtocolError {
  const kind =
    typeof got === 'number' || got === null || got === undefined
      ? String(got)
      : Array.isArray(got)
        ? 'an array'
        : Buffer.isBuffer(got)
          ? 'binary'
          : `a ${typeof got === 'object' ? 'map' : typeof got}`;
  return new ProtocolError('MALFORMED_MESSAGE', `${what} must be ${expected}, not ${kind}`);
}
