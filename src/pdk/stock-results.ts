import { PDK_METHODS } from './methods.js';

type Convert = (value: never) => unknown;

const CONVERSIONS: Readonly<Record<string, Convert>> = {
  'kong.request.get_headers': lists,
  'kong.request.get_query': lists,
  'kong.response.get_headers': lists,
  'kong.service.response.get_headers': lists,
  'kong.request.get_uri_captures': captures,
  'kong.client.get_credential': credential,
};

/**
 * Makes the results of PDK functions what the stock server gives, by {@link PdkMethod.index}; nothing for functions
 * whose results are the same. Bodies are Buffers there, too.
 */
export const STOCK_RESULTS: readonly (Convert | undefined)[] = PDK_METHODS.map(
  ({ wire }) => CONVERSIONS[wire],
);

/** Every value in a list; an empty one for a query argument without a value. */
function lists(values: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (Array.isArray(value)) return [name, value];
      return [name, value === true ? [] : [value]];
    }),
  );
}

/** Groups by number, from 1. The whole match, number 0, is there over MsgPack:1 only. */
function captures(value: { unnamed: unknown; named: unknown }): unknown {
  const { unnamed, named } = value;
  if (!Array.isArray(unnamed)) return value;
  return { unnamed: Object.fromEntries(unnamed.map((group, index) => [index + 1, group])), named };
}

function credential(value: { consumer_id?: string } | undefined): unknown {
  return value?.consumer_id === undefined ? value : { ...value, consumer: { id: value.consumer_id } };
}
