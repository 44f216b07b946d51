import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as customerVerification from '../../../plugins/customer-verification/index.js';
import { pluginCatalog } from '../../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../../src/gateway/config/parse.js';
import { type EchoedRequest, startEchoUpstream } from '../../../src/gateway/echo-upstream.js';
import { createGateway } from '../../../src/gateway/gateway.js';
import { ProtobufCaller } from '../../../src/gateway/rpc/protobuf-caller.js';
import { definePlugin } from '../../../src/plugin/define.js';
import type { PluginDefinition } from '../../../src/plugin/definition.js';
import { createLog } from '../../../src/server/log.js';
import { PluginServer } from '../../../src/server/server.js';
import { OwnSocket } from '../../../src/server/socket/own-socket.js';

/** The plugin as the loader would define it. */
export function pluginDefinition(): PluginDefinition {
  const { Plugin, Schema, version, priority } = customerVerification;
  return definePlugin({ name: 'customer-verification', Plugin, schema: Schema, version, priority });
}

/** What came back, and what the upstream saw of it; `upstream` is undefined when nothing reached it. */
export interface Answer {
  status: number;
  body: string;
  upstream: EchoedRequest | undefined;
}

export interface GatewayRig {
  readonly port: number;
  /** Headers may repeat a name; `host` is added. */
  send(
    path: string,
    headers: [string, string][],
    options?: { method?: string; body?: string },
  ): Promise<Answer>;
  /** The gateway's error log. */
  readonly log: string[];
  close(): Promise<void>;
}

/** Values of an upstream request's header, in whatever letter case it came. */
export function headerValues(request: EchoedRequest | undefined, name: string): string[] {
  return (request?.headers ?? []).filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** The three headers of the default configuration. */
export function signed(id: string, key: string, time = '1700000000'): [string, string][] {
  const signature = createHash('sha256').update(`${id}|${key}|${time}`).digest('hex');
  return [
    ['client-certificate-id', id],
    ['client-request-signature', signature],
    ['client-request-time', time],
  ];
}

/** The local gateway in front of an echo upstream, with the plugin server on `socketPath`; one route per config. */
export async function startGateway(
  socketPath: string,
  routes: Record<string, Record<string, unknown>>,
  entities: Record<string, unknown> = {},
): Promise<GatewayRig> {
  const upstream = await startEchoUpstream();
  const log: string[] = [];
  const definitions = [pluginDefinition()];
  const declarative = {
    _format_version: '3.0',
    services: [
      {
        name: 'echo',
        url: `http://127.0.0.1:${upstream.port}`,
        routes: Object.entries(routes).map(([name, config]) => ({
          name,
          paths: [`/${name}`],
          strip_path: false,
          plugins: [{ name: 'customer-verification', config }],
        })),
      },
    ],
    plugins: [
      {
        name: 'post-function',
        config: {
          access: [
            'if not kong.ctx.shared.customer_verified then return kong.response.exit(500, "no mark") end',
          ],
        },
      },
    ],
    ...entities,
  };
  const { config, problems } = parseDeclarativeConfig(
    JSON.stringify(declarative),
    'rig',
    pluginCatalog(definitions),
  );
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const caller = new ProtobufCaller({ socketPath, log: (level, text) => log.push(`[${level}] ${text}`) });
  const gateway = await createGateway({
    config,
    plugins: definitions,
    caller,
    log: (level, text) => log.push(`[${level}] ${text}`),
    port: 0,
  });
  const { port } = await gateway.listen();
  const agent = new http.Agent({ keepAlive: false });
  return {
    port,
    log,
    send: (path, headers, options = {}) => send(port, agent, path, headers, options),
    close: async () => {
      agent.destroy();
      await gateway.close();
      caller.close();
      await upstream.close();
    },
  };
}

/** The plugin server in this process, on a socket of its own; the environment it reads is `process.env`. */
export async function startServer(
  lines: string[] = [],
  options: { eventDeadlineMs?: number } = {},
): Promise<{ socketPath: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'verification-'));
  const socketPath = join(folder, 'plugins.sock');
  const server = new PluginServer({
    plugins: [pluginDefinition()],
    log: createLog('notice', (line) => lines.push(line)),
    ...options,
  });
  await server.listen(new OwnSocket(socketPath));
  return {
    socketPath,
    close: async () => {
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function send(
  port: number,
  agent: http.Agent,
  path: string,
  headers: [string, string][],
  { method = 'GET', body }: { method?: string; body?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))];
    const flat = ['host', 'test', ...length, ...headers.flat()];
    const request = http.request({
      port,
      agent,
      path,
      method,
      headers: flat as unknown as http.OutgoingHttpHeaders,
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const upstream =
          response.headers['x-upstream'] === 'echo' ? (JSON.parse(text) as EchoedRequest) : undefined;
        resolve({ status: response.statusCode ?? 0, body: text, upstream });
      });
    });
    request.end(body);
  });
}

/** Waits until the condition holds; fails with `what` after `withinMs`. Gives the milliseconds it took. */
export async function eventually(
  what: string,
  withinMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    if (await condition()) return performance.now() - startedAt;
    if (performance.now() - startedAt > withinMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
