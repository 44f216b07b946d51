import { inspect } from 'node:util';

/**
 * Makes an argument of `kong.log.*` readable: Kong logs tables as addresses and knows no errors, so both are written
 * out. Text, numbers, booleans and null stay as they are.
 */
export function loggable(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? String(value);
  if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean'
  ) {
    return value;
  }
  return inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY });
}
