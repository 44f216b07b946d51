import { PluginServerError } from '../errors.js';

/**
 * What can be wrong with bytes or values at the wire.
 *
 * - `FRAME_TOO_LARGE`: a frame or message is longer than the reader's limit.
 * - `NESTING_TOO_DEEP`: values inside values beyond the limit (or a cycle, when encoding).
 * - `MALFORMED_MESSAGE`: bytes that are no valid message, or a message of the wrong shape.
 * - `UNENCODABLE_VALUE`: a value that the protocol has no form for.
 * - `UNKNOWN_METHOD`: a method or message name that the protocol does not carry.
 */
export type ProtocolErrorCode =
  | 'FRAME_TOO_LARGE'
  | 'NESTING_TOO_DEEP'
  | 'MALFORMED_MESSAGE'
  | 'UNENCODABLE_VALUE'
  | 'UNKNOWN_METHOD';

/** Bytes or a value that break the protocol. It ends the connection it came from, and that one only. */
export class ProtocolError extends PluginServerError {
  declare readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
