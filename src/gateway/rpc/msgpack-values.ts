import { RawString } from '../../protocol/msgpack/raw-string.js';
import { LuaError, type LuaTable, type LuaValue } from '../plugin-port.js';

/** The RPC method by which Kong hands over the result of a PDK function; `plugin.Step` for all others. */
const STEP_METHODS: ReadonlyMap<string, string> = new Map([
  ['kong.request.get_headers', 'plugin.StepMultiMap'],
  ['kong.request.get_query', 'plugin.StepMultiMap'],
  ['kong.response.get_headers', 'plugin.StepMultiMap'],
  ['kong.service.response.get_headers', 'plugin.StepMultiMap'],
  ['kong.client.get_credential', 'plugin.StepCredential'],
  ['kong.client.authenticate', 'plugin.StepCredential'],
  ['kong.client.get_consumer', 'plugin.StepConsumer'],
  ['kong.client.load_consumer', 'plugin.StepConsumer'],
  ['kong.router.get_route', 'plugin.StepRoute'],
  ['kong.router.get_service', 'plugin.StepService'],
  ['kong.node.get_memory_stats', 'plugin.StepMemoryStats'],
]);

export function stepMethod(pdkMethod: string): string {
  return STEP_METHODS.get(pdkMethod) ?? 'plugin.Step';
}

/** The arguments of a PDK call as the server sent them: a list, a bare value, or nothing. */
export function luaArguments(args: unknown): LuaValue[] {
  if (args === undefined || args === null) return [];
  return Array.isArray(args) ? args.map((arg: unknown) => toLua(arg)) : [toLua(args)];
}

/**
 * The `Data` of the step that answers a PDK call, ready to be encoded; undefined for nil.
 *
 * @throws LuaError for a request body that lies in a file
 */
export function stepData(pdkMethod: string, result: LuaValue): unknown {
  if (result === undefined) return undefined;
  switch (pdkMethod) {
    case 'kong.request.get_raw_body':
      return rawBody(result as LuaTable);
    case 'kong.service.response.get_raw_body':
      return Buffer.from(result as string, 'latin1');
    case 'kong.request.get_uri_captures':
      return uriCaptures(result as LuaTable);
    default:
      return stepMethod(pdkMethod) === 'plugin.StepMultiMap' ? multiMap(result as LuaTable) : toWire(result);
  }
}

function toLua(value: unknown): LuaValue {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string') return Buffer.from(value).toString('latin1');
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) {
    // A Lua list ends where nothing but nil follows.
    return value.slice(0, value.findLastIndex((item) => item !== null && item !== undefined) + 1).map(toLua);
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, member]) => [toLua(key), toLua(member)]);
    return Object.fromEntries(entries) as LuaTable;
  }
  return value as LuaValue;
}

/** Lua's one empty table is sent as an array; strings are sent as the bytes they are. */
function toWire(value: LuaValue): unknown {
  if (typeof value === 'string') return RawString.fromLatin1(value);
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    if (entries.length === 0) return [];
    return new Map(entries.map(([key, member]) => [RawString.fromLatin1(key), toWire(member)]));
  }
  return value;
}

/** Every value becomes a list; the `true` of an argument without a value an empty one. */
function multiMap(table: LuaTable): unknown {
  return new Map(
    Object.entries(table).map(([name, value]) => {
      const list = Array.isArray(value) ? value : value === true ? [] : [value];
      return [RawString.fromLatin1(name), list.map(toWire)];
    }),
  );
}

function rawBody(body: LuaTable): Buffer {
  if (body.body_filepath !== undefined) throw new LuaError('the request body is in a file');
  return Buffer.from(String(body.content ?? ''), 'latin1');
}

/** Captures are numbered from 0, the whole match, and their keys are integers. */
function uriCaptures({ unnamed, named }: LuaTable): unknown {
  const numbered = Object.entries(unnamed ?? {}).map(([key, value]) => [Number(key), toWire(value)] as const);
  return {
    unnamed: numbered.length === 0 ? [] : new Map(numbered),
    named: toWire(named ?? {}),
  };
}
