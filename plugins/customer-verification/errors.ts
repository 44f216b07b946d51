/** The configuration of the plugin, or its environment, cannot work: the message names the field or variable. */
export class ConfigurationError extends Error {
  readonly code = 'ERR_CONFIGURATION';
  override readonly name = 'ConfigurationError';
  /** The field of the configuration, where it is one. */
  readonly field: string | undefined;

  constructor(message: string, field?: string, options?: ErrorOptions) {
    super(message, options);
    this.field = field;
  }
}

/** The body is larger than `max_body_mb`. */
export class BodyTooLargeError extends Error {
  readonly code = 'ERR_BODY_TOO_LARGE';
  override readonly name = 'BodyTooLargeError';
}

/** What a row of the customer table holds is not what the plugin expects. Never carries the row's content. */
export class MalformedCustomerError extends Error {
  readonly code = 'ERR_MALFORMED_CUSTOMER';
  override readonly name = 'MalformedCustomerError';
}

/** Why the database could not say something; also a label of the metric. */
export type DatabaseTrouble = 'connection' | 'timeout' | 'overload' | 'query' | 'settings';

/** The database could not say whether the customer exists. */
export class DatabaseUnavailableError extends Error {
  readonly code = 'ERR_DATABASE_UNAVAILABLE';
  override readonly name = 'DatabaseUnavailableError';
  readonly trouble: DatabaseTrouble;

  constructor(trouble: DatabaseTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}

/** The replay store could not say whether the signature was used before. */
export class ReplayStoreError extends Error {
  readonly code = 'ERR_REPLAY_STORE';
  override readonly name = 'ReplayStoreError';
}
