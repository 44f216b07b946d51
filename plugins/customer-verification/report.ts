import { reports } from 'kong-ts-pluginserver';

/** What the operator is told: all instances share one limit. */
export const report = reports('customer-verification');
