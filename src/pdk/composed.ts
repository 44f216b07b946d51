import { hostname } from 'node:os';
import { inspect } from 'node:util';
import { parseBody, serialiseBody } from './body.js';
import type { Bridge } from './bridge.js';
import { errorBody } from './error-body.js';
import { PdkError } from './errors.js';
import { PDK_METHODS, type PdkMethod } from './methods.js';
import type { Kong } from './types.js';
import { isReference, parseReference } from './vault-reference.js';

type Args = readonly unknown[];

/** A function of the PDK built from others. `kong` is the event's; the outcome is what Kong's own function gives. */
export type Composed = (kong: Kong, args: Args, bridge: Bridge) => Promise<unknown>;

/** For protocols that do not carry the function. */
const WHERE_ABSENT: Readonly<Record<string, Composed>> = {
  'kong.log': async (kong, args) => kong.log.notice(...args),
  'kong.log.deprecation': logDeprecation,
  'kong.log.inspect': logInspected,
  'kong.log.inspect.on': async (_kong, _args, { config }) => void UNINSPECTED.delete(config),
  'kong.log.inspect.off': async (_kong, _args, { config }) => void UNINSPECTED.add(config),
  'kong.node.get_hostname': async () => hostname(),
  'kong.plugin.get_id': async (_kong, _args, { config }) => config.__plugin_id,
  'kong.request.get_body': getRequestBody,
  'kong.request.get_forwarded_path': getForwardedPath,
  'kong.request.get_forwarded_prefix': getForwardedPrefix,
  'kong.request.get_raw_path': getRawPath,
  'kong.request.get_start_time': getStartTime,
  'kong.response.error': sendError,
  'kong.service.request.enable_buffering': enableBuffering,
  'kong.service.response.get_body': getResponseBody,
  'kong.vault.is_reference': async (_kong, [text]) => isReference(text),
  'kong.vault.parse_reference': async (_kong, [text]) => parseReference('kong.vault.parse_reference', text),
};

/** Instead of the function of ProtoBuf:1, which cannot carry what Kong answers. */
const OVER_PROTOBUF: Readonly<Record<string, Composed>> = { 'kong.request.get_query_arg': getQueryArg };

/** Instead of Kong's own function over every protocol. */
const EVERYWHERE: Readonly<Record<string, Composed>> = {
  // Lua has one empty table, which Kong writes as {}, and no null.
  'kong.service.request.set_body': setRequestBody,
  // Kong 3.9 answers {} once it has buffered the response.
  'kong.service.response.get_headers': getServiceHeaders,
};

const byIndex = (...maps: Readonly<Record<string, Composed>>[]): readonly (Composed | undefined)[] => {
  const all = Object.assign({}, ...maps) as Readonly<Record<string, Composed | undefined>>;
  return PDK_METHODS.map(({ wire }) => all[wire]);
};

/** What ProtoBuf:1 builds from other functions, by {@link PdkMethod.index}. */
export const COMPOSED_PROTOBUF = byIndex(WHERE_ABSENT, OVER_PROTOBUF, EVERYWHERE);

/** What MsgPack:1, which carries every function, builds nevertheless. */
export const COMPOSED_MSGPACK = byIndex(EVERYWHERE);

/** Configurations of instances that have turned `kong.log.inspect` off. */
const UNINSPECTED = new WeakSet<object>();

async function logInspected(kong: Kong, args: Args, { config }: Bridge): Promise<unknown> {
  if (UNINSPECTED.has(config)) return null;
  return kong.log.notice(args.map((arg) => inspect(arg, { depth: 6 })).join(' '));
}

async function logDeprecation(kong: Kong, args: Args): Promise<unknown> {
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null) return kong.log.warn(...args);
  const { after, removal } = last as { after?: string; removal?: string };
  const notes = [
    ...(after === undefined ? [] : [`deprecated after ${after}`]),
    ...(removal === undefined ? [] : [`scheduled for removal in ${removal}`]),
  ];
  return kong.log.warn(...args.slice(0, -1), notes.length === 0 ? '' : ` (${notes.join(', ')})`);
}

async function sendError(kong: Kong, args: Args): Promise<unknown> {
  const [status, message, headers] = args as [number, string | undefined, Record<string, string> | undefined];
  const [grpc, accept, requestId] = await Promise.all([
    isGrpcRequest(kong),
    kong.request.getHeader('accept'),
    kong.nginx.getVar('kong_request_id'),
  ]);
  // Kong makes grpc-status and grpc-message of it.
  if (grpc) return kong.response.exit(status, undefined, { ...headers, 'Content-Type': 'application/grpc' });
  const { contentType, body } = errorBody(status, message, accept, requestId ?? '');
  return kong.response.exit(status, body, { ...headers, 'Content-Type': contentType });
}

/** How ProtoBuf:1 builds an exit, by what it is to send; undefined: it is sent as it is. */
export function composedExit(method: PdkMethod, args: Args): Composed | undefined {
  if (method.wire !== 'kong.response.exit') return COMPOSED_PROTOBUF[method.index];
  const [, body, headers] = args;
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return undefined;
  const typed = Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'content-type');
  return typed ? undefined : exitWithObject;
}

/**
 * `kong.response.exit` with an object: JSON, and on a gRPC request its `message`, of which Kong makes `grpc-message`
 * where no content type says otherwise.
 */
async function exitWithObject(kong: Kong, args: Args): Promise<unknown> {
  const [status, body, headers] = args as [number, { message?: unknown }, Record<string, string> | undefined];
  if (!(await isGrpcRequest(kong))) return kong.response.exit(status, body, headers);
  return kong.response.exit(status, typeof body.message === 'string' ? body.message : undefined, headers);
}

/** As Kong decides it: gRPC is HTTP/2. */
async function isGrpcRequest(kong: Kong): Promise<boolean> {
  const [type, version] = await Promise.all([
    kong.request.getHeader('content-type'),
    kong.request.getHttpVersion(),
  ]);
  return version === 2 && type?.startsWith('application/grpc') === true;
}

async function getRequestBody(kong: Kong, [mimetype, maxArgs]: Args): Promise<unknown> {
  const [body, contentType] = await Promise.all([
    kong.request.getRawBody(),
    kong.request.getHeader('content-type'),
  ]);
  return parseBody('kong.request.get_body', body, (mimetype as string | undefined) ?? contentType, maxArgs);
}

async function getResponseBody(kong: Kong, [mimetype, maxArgs]: Args): Promise<unknown> {
  const [body, contentType] = await Promise.all([
    kong.service.response.getRawBody(),
    kong.service.response.getHeader('content-type'),
  ]);
  return parseBody(
    'kong.service.response.get_body',
    body,
    (mimetype as string | undefined) ?? contentType,
    maxArgs,
  );
}

async function setRequestBody(kong: Kong, args: Args): Promise<unknown> {
  const [value, mimetype] = args as [unknown, string | undefined];
  const wanted = mimetype ?? (await kong.request.getHeader('content-type'));
  const { body, contentType } = serialiseBody('kong.service.request.set_body', value, wanted);
  void kong.service.request.setRawBody(body);
  void kong.service.request.setHeader('Content-Type', contentType);
  return true;
}

async function getRawPath(kong: Kong): Promise<string> {
  const target = await kong.request.getPathWithQuery();
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** X-Forwarded-Path counts only when it comes from a trusted address; the client's own path is the answer otherwise. */
async function getForwardedPath(kong: Kong): Promise<string> {
  return (await trustedHeader(kong, 'x-forwarded-path')) ?? (await kong.request.getPath());
}

async function getForwardedPrefix(kong: Kong): Promise<string | undefined> {
  const [trusted, own] = await Promise.all([
    trustedHeader(kong, 'x-forwarded-prefix'),
    kong.nginx.getVar('upstream_x_forwarded_prefix'),
  ]);
  return trusted ?? own;
}

async function trustedHeader(kong: Kong, name: string): Promise<string | undefined> {
  const [ip, header] = await Promise.all([kong.client.getIp(), kong.request.getHeader(name)]);
  return header !== undefined && (await kong.ip.isTrusted(ip)) ? header : undefined;
}

async function getStartTime(kong: Kong): Promise<number> {
  const [exact, seconds] = await Promise.all([
    kong.nginx.getCtx('KONG_PROCESSING_START'),
    kong.nginx.reqStartTime(),
  ]);
  return typeof exact === 'number' ? exact : Math.round(seconds * 1000);
}

/** As Kong's own: the first value, among the first 100 arguments; true for one without a value. */
async function getQueryArg(kong: Kong, [name]: Args): Promise<unknown> {
  if (typeof name !== 'string') {
    throw new PdkError('PDK_BAD_ARGUMENT', 'kong.request.get_query_arg', 'argument 1 must be a string');
  }
  const query = await kong.request.getQuery();
  const value = Object.hasOwn(query, name) ? query[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

/** Kong buffers every response of a plugin that has a response handler. */
async function enableBuffering(_kong: Kong, _args: Args, { phases }: Bridge): Promise<null> {
  if (phases.includes('response')) return null;
  const reason =
    'the protocol ProtoBuf:1 has no such function; a plugin with a `response` handler has its responses buffered, ' +
    'and --dump --protocol msgpack brings the function';
  throw new PdkError('PDK_UNSUPPORTED', 'kong.service.request.enable_buffering', reason);
}

/** The names from the response to the client, which has the upstream's headers; their values from the upstream's. */
async function getServiceHeaders(kong: Kong, [max]: Args): Promise<unknown> {
  const shown = await kong.response.getHeaders(max as number | undefined);
  const names = Object.keys(shown);
  const values = await Promise.all(names.map((name) => kong.service.response.getHeader(name)));
  const headers: [string, string | string[]][] = [];
  for (const [index, name] of names.entries()) {
    const first = values[index];
    const all = shown[name];
    if (first === undefined) continue;
    headers.push([name, Array.isArray(all) && all[0] === first ? all : first]);
  }
  return Object.fromEntries(headers);
}
