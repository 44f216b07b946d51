import { createHash } from 'node:crypto';
import * as customerVerification from '../../../plugins/customer-verification/index.js';
import { definePlugin } from '../../../src/plugin/define.js';
import type { PluginDefinition } from '../../../src/plugin/definition.js';
import {
  startTestGateway,
  type TestExchange,
  type TestGateway,
  type TestGatewayOptions,
} from '../../../src/testing/index.js';

/** The plugin as the loader would define it. */
export function pluginDefinition(): PluginDefinition {
  const { Plugin, Schema, version, priority } = customerVerification;
  return definePlugin({ name: 'customer-verification', Plugin, schema: Schema, version, priority });
}

/** A gateway with the plugin, one route for each configuration of it. */
export interface GatewayRig {
  readonly gateway: TestGateway;
  /** Headers may repeat a name. */
  send(
    path: string,
    headers: [string, string][],
    options?: { method?: string; body?: string },
  ): Promise<TestExchange>;
  /** The gateway's error log: `[level] text`. */
  readonly log: string[];
  close(): Promise<void>;
}

/** Values of a header that the upstream got, in whatever letter case it came. */
export function headerValues(request: TestExchange['upstream'], name: string): string[] {
  return (request?.headerLines ?? [])
    .filter(([key]) => key.toLowerCase() === name)
    .map(([, value]) => String(value));
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

/**
 * Through the test kit, with the guard: a plugin server in this process unless `socket` names another one. The
 * environment that it reads is `process.env`.
 */
export async function startGateway(
  routes: Record<string, Record<string, unknown>>,
  {
    entities = {},
    ...options
  }: { entities?: object } & Pick<TestGatewayOptions, 'socket' | 'eventDeadlineMs'> = {},
): Promise<GatewayRig> {
  const access =
    'if not kong.ctx.shared.customer_verified then return kong.response.exit(500, "no mark") end';
  const gateway = await startTestGateway({
    ...options,
    plugins: { 'customer-verification': customerVerification },
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 'echo',
          url: 'http://upstream',
          routes: Object.entries(routes).map(([name, config]) => ({
            name,
            paths: [`/${name}`],
            strip_path: false,
            plugins: [{ name: 'customer-verification', config }],
          })),
        },
      ],
      plugins: [{ name: 'post-function', config: { access: [access] } }],
      ...entities,
    },
  });
  return {
    gateway,
    get log() {
      return gateway.log.map(({ level, text }) => `[${level}] ${text}`);
    },
    send: (path, headers, init) => gateway.request(path, { method: 'GET', ...init, headers }),
    close: () => gateway.close(),
  };
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
