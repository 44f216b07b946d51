import { hostname } from 'node:os';
import { parseBody, serialiseBody } from './body.js';
import type { Bridge } from './bridge.js';
import { errorBody } from './error-body.js';
import type { Kong } from './types.js';

/** A function of the PDK built from others. `kong` is the event's; the outcome is what Kong's own function gives. */
export type Composed = (kong: Kong, args: readonly unknown[], bridge: Bridge) => Promise<unknown>;

/** The functions that protocols without them can still offer, by wire name. */
export const COMPOSED: ReadonlyMap<string, Composed> = new Map<string, Composed>([
  ['kong.response.error', sendError],
  ['kong.request.get_body', getRequestBody],
  ['kong.request.get_raw_path', getRawPath],
  ['kong.request.get_forwarded_path', getForwardedPath],
  ['kong.request.get_start_time', async (kong) => Math.round((await kong.nginx.reqStartTime()) * 1000)],
  ['kong.service.request.set_body', setRequestBody],
  ['kong.service.response.get_body', getResponseBody],
  ['kong.node.get_hostname', async () => hostname()],
  ['kong.plugin.get_id', async (_kong, _args, bridge) => bridge.config.__plugin_id],
  [
    'kong.vault.is_reference',
    async (_kong, [text]) => typeof text === 'string' && /^\{vault:\/\/.+\}$/s.test(text),
  ],
]);

async function sendError(kong: Kong, args: readonly unknown[]): Promise<unknown> {
  const [status, message, headers] = args as [number, string | undefined, Record<string, string> | undefined];
  const [accept, requestId] = await Promise.all([
    kong.request.getHeader('accept'),
    kong.nginx.getVar('kong_request_id'),
  ]);
  const { contentType, body } = errorBody(status, message, accept, requestId ?? '');
  return kong.response.exit(status, body, { ...headers, 'Content-Type': contentType });
}

async function getRequestBody(kong: Kong, [mimetype]: readonly unknown[]): Promise<unknown> {
  const [body, contentType] = await Promise.all([
    kong.request.getRawBody(),
    kong.request.getHeader('content-type'),
  ]);
  return parseBody('kong.request.get_body', body, (mimetype as string | undefined) ?? contentType);
}

async function getResponseBody(kong: Kong, [mimetype]: readonly unknown[]): Promise<unknown> {
  const [body, contentType] = await Promise.all([
    kong.service.response.getRawBody(),
    kong.service.response.getHeader('content-type'),
  ]);
  return parseBody('kong.service.response.get_body', body, (mimetype as string | undefined) ?? contentType);
}

async function setRequestBody(kong: Kong, args: readonly unknown[]): Promise<unknown> {
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
  const [ip, forwarded, path] = await Promise.all([
    kong.client.getIp(),
    kong.request.getHeader('x-forwarded-path'),
    getRawPath(kong),
  ]);
  return forwarded !== undefined && (await kong.ip.isTrusted(ip)) ? forwarded : path;
}
