import { PluginServerError } from '../errors.js';

/**
 * Why a PDK call failed.
 *
 * - `PDK_NO_ANSWER`: Kong closed the connection instead of answering: it refused the call (Kong's error log says why)
 *   or gave the request up.
 * - `PDK_FAILED`: Kong answered with an error.
 * - `PDK_UNSUPPORTED`: the protocol in use has no such function.
 * - `PDK_WRONG_PHASE`: Kong performs the function in other phases only.
 * - `PDK_BAD_ARGUMENT`: an argument that cannot be sent.
 * - `EVENT_ENDED`: the event that the `kong` object belonged to is over.
 * - `EVENT_DEADLINE`: the event took longer than the server allows.
 */
export type PdkErrorCode =
  | 'PDK_NO_ANSWER'
  | 'PDK_FAILED'
  | 'PDK_UNSUPPORTED'
  | 'PDK_WRONG_PHASE'
  | 'PDK_BAD_ARGUMENT'
  | 'EVENT_ENDED'
  | 'EVENT_DEADLINE';

/** A PDK call that failed; `method` is its wire name, e.g. `kong.request.get_headers`. */
export class PdkError extends PluginServerError {
  declare readonly code: PdkErrorCode;
  readonly method: string;

  constructor(code: PdkErrorCode, method: string, message: string, options?: ErrorOptions) {
    super(code, `${method}: ${message}`, options);
    this.method = method;
  }
}

/**
 * Thrown by `kong.response.exit` and `.error`, and by every PDK call after them, to end the handler. Kong has decided
 * the response by then; the server takes this error for a normal end. Catch blocks should let it pass.
 */
export class HandlerExit extends PluginServerError {
  declare readonly code: 'HANDLER_EXIT';

  constructor() {
    super('HANDLER_EXIT', 'the handler has ended the request with kong.response.exit');
  }
}

/** The one instance: an exit is common (every rejected request), and a stack trace of it would tell nothing. */
export const HANDLER_EXIT: HandlerExit = withoutStack(() => new HandlerExit());

function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return Object.freeze(make());
  } finally {
    Error.stackTraceLimit = limit;
  }
}
