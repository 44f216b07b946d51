import { PluginServerError } from 'kong-ts-pluginserver';

export type CustomerTableErrorCode =
  | 'CUSTOMER_EXISTS'
  | 'CUSTOMER_UNKNOWN'
  | 'CUSTOMER_REVOKED'
  | 'CUSTOMER_MALFORMED';

/** What was asked of the customer table cannot be done; nothing was changed. */
export class CustomerTableError extends PluginServerError {
  declare readonly code: CustomerTableErrorCode;

  constructor(code: CustomerTableErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
