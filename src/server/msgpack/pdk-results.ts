/** Makes the results of PDK functions, as Kong sends them over MsgPack:1, what every protocol gives. */
type Normalise = (data: unknown) => unknown;

const NORMALISERS: ReadonlyMap<string, Normalise> = new Map<string, Normalise>([
  ['kong.request.get_headers', multimap],
  ['kong.request.get_query', multimap],
  ['kong.response.get_headers', multimap],
  ['kong.service.response.get_headers', multimap],
  ['kong.request.get_raw_body', rawBody],
  ['kong.service.response.get_raw_body', rawBody],
  ['kong.request.get_uri_captures', uriCaptures],
  ['kong.client.get_credential', credential],
]);

/** @param data the `Data` of a Step; absent for nil */
export function normaliseResult(wire: string, data: unknown): unknown {
  const normalise = NORMALISERS.get(wire);
  return normalise === undefined ? (data ?? undefined) : normalise(data);
}

/** Every value comes as a list: one element is that value, none is an argument without a value. */
function multimap(data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return {};
  const entries = Object.entries(data).map(([name, values]): [string, unknown] => {
    if (!Array.isArray(values)) return [name, values];
    if (values.length === 0) return [name, true];
    return [name, values.length === 1 ? values[0] : values];
  });
  return Object.fromEntries(entries);
}

function rawBody(data: unknown): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return typeof data === 'string' ? Buffer.from(data) : Buffer.alloc(0);
}

/** Unnamed captures come as a map that counts from 0, where 0 is the whole match; an empty table comes as a list. */
function uriCaptures(data: unknown): { unnamed: string[]; named: Record<string, string> } {
  const { unnamed, named } = (data ?? {}) as { unnamed?: object; named?: object };
  const groups = Array.isArray(unnamed) ? unnamed : Object.values(unnamed ?? {}).slice(1);
  return {
    unnamed: groups.map(String),
    named: Array.isArray(named) ? {} : { ...(named as Record<string, string>) },
  };
}

function credential(data: unknown): unknown {
  const found = data as { consumer?: { id?: string } } | undefined;
  if (found?.consumer?.id === undefined) return found ?? undefined;
  return { ...found, consumer_id: found.consumer.id };
}
