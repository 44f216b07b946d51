import { PluginServerError } from '../../errors.js';

/**
 * How talking to a plugin server can go wrong, as Kong tells the cases apart:
 *
 * - `CONNECT_FAILED`: no socket file, or nobody listens.
 * - `CLOSED`: the server ended the connection cleanly (FIN) while an answer was due.
 * - `RESET`: the connection broke while an answer was due.
 * - `TIMEOUT`: nothing came for the length of the read timeout.
 * - `SEND_FAILED`: the connection was gone when something had to be sent.
 * - `BAD_ANSWER`: bytes or a message that are no answer to what was asked.
 * - `REFUSED`: the server answered with an error.
 * - `NOT_CLAIMED`: another request's start of the same instance did not end in time.
 */
export type RpcErrorCode =
  | 'CONNECT_FAILED'
  | 'CLOSED'
  | 'RESET'
  | 'TIMEOUT'
  | 'SEND_FAILED'
  | 'BAD_ANSWER'
  | 'REFUSED'
  | 'NOT_CLAIMED';

export class RpcError extends PluginServerError {
  declare readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }

  /** In Kong these are Lua errors thrown half way, which leave more undone than an error that is returned. */
  get isThrown(): boolean {
    return this.code === 'SEND_FAILED' || this.code === 'BAD_ANSWER';
  }
}
