import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Postgres } from '../../src/dev/postgres.js';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { createPluginCaller } from '../../src/gateway/rpc/create-caller.js';
import { CLAIM_LEFT } from '../../src/gateway/rpc/instances.js';
import type { PluginDefinition } from '../../src/plugin/definition.js';
import { eventually, pluginDefinition, signed } from '../plugins/customer-verification/rig.js';
import { full } from '../support/full.js';
import { startPostgres } from '../support/postgres.js';
import { Supervised, type SupervisedOptions } from '../support/supervised.js';
import { KongWorkers } from './kong-workers.js';
import { KIND_HEADER, Load, type MakeHeaders, type Target } from './load.js';

/** Customers c0, c1, … with keys k0, k1, … */
const CUSTOMERS = 40;
export const CLIENTS = 4;
/** On a machine that is busy with tests a successor may take longer than the default. */
const LINGER_S = '60';
const FELT_WITHIN_MS = 60_000;
/** Good requests over each protocol that have to fail, so that a fault was felt. */
const FELT = full ? 10 : 3;
/** Answers of each kind over each protocol, after a repair and at the end. */
const ANSWERS = full ? 60 : 10;
/** The same, in between. */
export const SOME_ANSWERS = full ? 20 : 5;
/** What kong.yml has, too: over MsgPack:1 Kong goes on without a plugin that fails. */
const GUARD = 'if not kong.ctx.shared.customer_verified then return kong.response.exit(503, "no mark") end';

/** Good requests of different customers; forged ones carry a signature with a guessed key. */
export const signedHeaders: MakeHeaders = (kind, number) =>
  Object.fromEntries(
    kind === 'good'
      ? signed(`c${number % CUSTOMERS}`, `k${number % CUSTOMERS}`)
      : signed(`c${number % CUSTOMERS}`, 'guessed'),
  );

/** A PostgreSQL with the customers in it. */
export async function startCustomers(): Promise<Postgres> {
  const postgres = await startPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await client.query(
      `insert into customer (certificate, authentication)
       select 'c' || n, jsonb_build_object('client_key', 'k' || n) from generate_series(0, $1 - 1) n`,
      [CUSTOMERS],
    );
  } finally {
    await client.end();
  }
  return postgres;
}

export interface FaultRigOptions extends SupervisedOptions {
  /** Of the plugin server's command line. */
  readonly args?: readonly string[];
  /** Where the plugins are, beside customer-verification those of `extra`. Default: the bundled ones. */
  readonly directory?: string;
  /** Plugins of `directory` with their routes. */
  readonly extra?: { readonly plugin: PluginDefinition; readonly routes: Record<string, object> };
  /** Of customer-verification. */
  readonly config?: Record<string, unknown>;
  readonly headers?: MakeHeaders;
  /** How long requests wait for a claim that a worker's death has left behind, in milliseconds. Default: 10 s, as Kong. */
  readonly claimTimeoutMs?: number;
  /** Clients for each gateway. */
  readonly clients?: number;
  /** Sees every request that the upstream gets. */
  readonly onUpstream?: (headers: http.IncomingHttpHeaders) => void;
}

/**
 * A plugin server that is started again when it ends, two gateways in front of one upstream (one over ProtoBuf:1, one
 * over MsgPack:1 with the guard), and clients that never stop asking.
 */
export class FaultRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'kts-faults-'));
  readonly socketPath = join(this.folder, 'p.sock');
  /** Requests that reached the upstream, by kind. */
  readonly reached: Record<string, number> = { good: 0, forged: 0 };
  /** The gateways. */
  readonly targets: Target[] = [];
  /** When starts of an instance broke off so that requests waited for them, up to 10 s as in Kong. */
  readonly claims: number[] = [];
  /** What the gateways' error logs say. */
  readonly errors: string[] = [];
  server!: Supervised;
  load!: Load;
  private readonly kongs: KongWorkers[] = [];
  private readonly closers: (() => unknown)[] = [];

  static async start(options: FaultRigOptions = {}): Promise<FaultRig> {
    const rig = new FaultRig();
    try {
      await rig.open(options);
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  private async open(options: FaultRigOptions): Promise<void> {
    this.closers.push(() => rmSync(this.folder, { recursive: true, force: true }));
    const plugins =
      options.directory === undefined ? ['--plugin', 'customer-verification'] : ['-d', options.directory];
    const args = [...plugins, '--socket', this.socketPath, '--linger', LINGER_S, ...(options.args ?? [])];
    this.server = new Supervised(args, options);
    this.closers.push(() => this.server.stop());
    const upstream = await this.startUpstream(options.onUpstream);
    await this.server.serving();
    for (const protocol of ['protobuf', 'msgpack'] as const) {
      this.targets.push({ name: protocol, port: await this.startGateway(protocol, upstream, options) });
    }
    this.load = new Load(this.targets, options.headers ?? signedHeaders, options.clients ?? CLIENTS);
    this.closers.push(() => this.load.stop());
    await this.load.recovered(performance.now());
  }

  /**
   * `kong reload`, in Kong's order: new workers take the events at once, with the old server as long as the new one is
   * not there; that is started at the same time, and the old one ended at some moment.
   *
   * @param afterMs when the old server is told to stop, from the start of the new one
   */
  async reload(afterMs: number): Promise<void> {
    for (const kong of this.kongs) kong.renew();
    await this.server.reload(afterMs);
  }

  /** Waits until a fault has cost good requests over both protocols. */
  async felt(faultAt: number): Promise<void> {
    await eventually('it was felt over both protocols', FELT_WITHIN_MS, () =>
      this.targets.every(({ name }) => this.load.wrong(faultAt, name).length > FELT),
    );
  }

  /**
   * After a repair: waits until good requests are let through again, and makes sure that none of the next ones is
   * refused, and that nothing forged has got through so far.
   *
   * @returns milliseconds that it took
   */
  async assertHealed(answers = ANSWERS): Promise<number> {
    const recoveryMs = await this.load.recovered(performance.now());
    const steadyAt = performance.now();
    await this.load.progress(answers);
    assert.deepEqual(this.load.wrong(steadyAt), [], 'good requests refused after the recovery');
    assert.deepEqual(this.load.letThrough, [], 'forged requests let through');
    assert.equal(this.reached.forged, 0, 'forged requests at the upstream');
    return recoveryMs;
  }

  /**
   * Ends the load and looks at all of it: nothing forged may have reached the upstream, and from `healedAt` on nothing
   * good may have been refused.
   *
   * @param handedOver how many may have been under way over MsgPack:1 when a successor took the events over: Kong does
   *   not try those again
   */
  async settle(healedAt: number, handedOver = 0): Promise<void> {
    await this.load.progress(ANSWERS);
    await this.load.stop();
    assert.equal(this.reached.forged, 0, 'forged requests at the upstream');
    assert.deepEqual(this.load.letThrough, []);
    assert.deepEqual(this.load.wrong(healedAt, 'protobuf'), [], this.load.summary(healedAt));
    const lost = this.load.wrong(healedAt, 'msgpack');
    assert.ok(lost.length <= handedOver, this.load.summary(healedAt));
    assert.ok((this.reached.good as number) > 0);
  }

  async stop(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }

  private async startUpstream(onUpstream: FaultRigOptions['onUpstream']): Promise<number> {
    const upstream = http.createServer((request, response) => {
      const kind = String(request.headers[KIND_HEADER]);
      this.reached[kind] = (this.reached[kind] ?? 0) + 1;
      onUpstream?.(request.headers);
      response.end('upstream');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    this.closers.push(() => {
      upstream.closeAllConnections();
      upstream.close();
    });
    return (upstream.address() as AddressInfo).port;
  }

  private async startGateway(
    protocol: 'protobuf' | 'msgpack',
    upstreamPort: number,
    { config = {}, extra, claimTimeoutMs }: FaultRigOptions,
  ): Promise<number> {
    const plugins = [pluginDefinition(), ...(extra ? [extra.plugin] : [])];
    const guard = { name: 'post-function', config: { access: [GUARD] } };
    const declarative = {
      _format_version: '3.0',
      services: [
        {
          name: 'upstream',
          url: `http://127.0.0.1:${upstreamPort}`,
          routes: [
            { name: 'all', paths: ['/'], plugins: [{ name: 'customer-verification', config }] },
            ...Object.entries(extra?.routes ?? {}).map(([path, pluginConfig], n) => ({
              name: `extra-${n}`,
              paths: [path],
              plugins: [{ name: extra?.plugin.name, config: pluginConfig }],
            })),
          ],
        },
      ],
      plugins: protocol === 'msgpack' ? [guard] : [],
    };
    const parsed = parseDeclarativeConfig(JSON.stringify(declarative), 'faults', pluginCatalog(plugins));
    assert.deepEqual(parsed.problems, []);
    const log = (level: string, line: string) => {
      if (level === 'error') this.errors.push(`${protocol}: ${line}`);
      if (line.includes(CLAIM_LEFT)) this.claims.push(performance.now());
    };
    const caller = new KongWorkers(() =>
      createPluginCaller(protocol, {
        socketPath: this.socketPath,
        log,
        ...(claimTimeoutMs && { claimTimeoutMs }),
      }),
    );
    this.kongs.push(caller);
    const gateway = await createGateway({ config: parsed.config, plugins, caller, log, port: 0 });
    this.closers.push(
      () => caller.close(),
      () => gateway.close(),
    );
    return (await gateway.listen()).port;
  }
}
