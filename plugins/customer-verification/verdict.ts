import type { Consumer, Severity } from 'kong-ts-pluginserver';

/** Why a request was refused; also the label of the metric and the subject of log lines. */
export type Reason =
  | 'invalid_headers'
  | 'bad_time'
  | 'stale_time'
  | 'body_too_large'
  | 'unsignable'
  | 'unknown_customer'
  | 'revoked'
  | 'no_valid_key'
  | 'bad_signature'
  | 'replayed'
  | 'malformed_customer'
  | 'database_unavailable'
  | 'replay_store_unavailable'
  | 'consumer_missing'
  | 'error';

/** The customer is who they say. */
export interface Verified {
  readonly verified: true;
  readonly uuid: string;
  /** The Kong consumer that stands for the customer, when the configuration asks for one. */
  readonly consumer?: Consumer;
  /** What an operator should know all the same. */
  readonly notice?: Notice;
}

export interface Refused {
  readonly verified: false;
  readonly status: number;
  readonly reason: Reason;
  readonly notice?: Notice;
}

export type Verdict = Verified | Refused;

/** A line for the operator. */
export interface Notice {
  readonly severity: Severity;
  readonly subject: string;
  readonly message: string;
}

/** The client's fault. Whoever is being attacked wants to know of it, without an alarm. */
export function refusedClient(reason: Reason, message?: string): Refused {
  const status = reason === 'invalid_headers' ? 400 : 403;
  return message === undefined
    ? { verified: false, status, reason }
    : { verified: false, status, reason, notice: { severity: 'warn', subject: reason, message } };
}

/** Said to the known and the unknown alike, with nothing of the body read by this plugin. */
export const BODY_TOO_LARGE: Refused = {
  verified: false,
  status: 413,
  reason: 'body_too_large',
  notice: { severity: 'warn', subject: 'body_too_large', message: 'refused a body larger than max_body_mb' },
};

/** The operator's fault. */
export function failed(status: number, reason: Reason, message: string, subject: string = reason): Refused {
  return { verified: false, status, reason, notice: { severity: 'err', subject, message } };
}
