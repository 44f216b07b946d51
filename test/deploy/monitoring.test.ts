import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { parse as parseYaml } from 'yaml';
import type { Postgres } from '../../src/dev/postgres.js';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { ProtobufCaller } from '../../src/gateway/rpc/protobuf-caller.js';
import { loadPlugins } from '../../src/plugin/loader.js';
import { eventually, signed } from '../plugins/customer-verification/rig.js';
import { CliProcess } from '../support/cli.js';
import { startPostgres } from '../support/postgres.js';
import { askPrometheus, type Expectation, promtoolLeftOut, seriesOf } from '../support/promtool.js';
import { RedisServer, redisLeftOut } from '../support/redis.js';

const FOLDER = 'examples/monitoring';
const RULES = `${FOLDER}/alerts.yml`;
const PATIENCE_MS = 60_000;
const PLUGINS = ['customer-verification', 'js-pre-function'];
/** A port that nobody listens on, where there is no Redis. */
const NOBODY = 'redis://127.0.0.1:1';

const functions = (access: string, config: object = {}) => ({
  name: 'js-pre-function',
  config: { access: [access], ...config },
});
const verification = (config: object = {}) => ({ name: 'customer-verification', config });
const ROUTES = {
  plain: verification(),
  brief: verification({ cache_ttl: 1 }),
  once: verification({ clock_skew: 30, replay_protection: true, replay_store: 'redis' }),
  throws: functions(`throw new Error('on purpose')`),
  slow: functions('await new Promise(() => {});', { max_wall_ms: 5000 }),
  limit: functions('for (;;) kong.request.getPath();', { max_pdk_calls: 3 }),
  thread: functions(`const s = 'a'.repeat(2e6); for (;;) s.lastIndexOf('b' + 'a'.repeat(1e6));`, {
    max_cpu_ms: 10,
  }),
};

interface Dashboard {
  readonly panels: readonly { title: string; targets: readonly { expr: string }[] }[];
  readonly templating: { readonly list: readonly { name: string; definition?: string }[] };
}
const dashboard = JSON.parse(readFileSync(`${FOLDER}/dashboard.json`, 'utf8')) as Dashboard;
const alerts = (
  parseYaml(readFileSync(RULES, 'utf8')) as { groups: { rules: { alert: string }[] }[] }
).groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));

describe('examples/monitoring', { skip: promtoolLeftOut }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-monitoring-'));
  const closing: (() => unknown)[] = [];
  let postgres: Postgres;
  let redis: RedisServer | undefined;
  let server: CliProcess;
  let send: (path: string, headers?: [string, string][]) => Promise<number>;
  let url: string;

  before(async () => {
    postgres = await startPostgres();
    closing.push(() => postgres.dispose());
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(
      `insert into customer (certificate, authentication) values ('alice', '{"client_key": "k"}')`,
    );
    await client.end();
    redis = redisLeftOut === false ? await RedisServer.create() : undefined;
    closing.push(() => redis?.dispose());
    const socketPath = join(folder, 'p.sock');
    server = new CliProcess(
      [
        ...['serve', ...PLUGINS.flatMap((name) => ['--plugin', name]), '--workers', '2'],
        ...['--socket', socketPath, '--metrics', '127.0.0.1:0', '--env-file', '/nonexistent'],
      ],
      {
        env: {
          PATH: process.env.PATH,
          ...postgres.env,
          REDIS_URL: redis?.url ?? NOBODY,
          KONG_TS_EVENT_DEADLINE_MS: '1500',
        },
      },
    );
    closing.push(() => server.kill());
    url = (await server.said(/metrics at (http:\S+)\/metrics/))[1] as string;
    await server.said(/server started/);
    const upstream = await startEchoUpstream();
    closing.push(() => upstream.close());
    const { plugins } = await loadPlugins('plugins', { only: PLUGINS });
    const declarative = {
      _format_version: '3.0',
      services: [
        {
          name: 'echo',
          url: `http://127.0.0.1:${upstream.port}`,
          routes: Object.entries(ROUTES).map(([name, plugin]) => ({
            name,
            paths: [`/${name}`],
            plugins: [plugin],
          })),
        },
      ],
    };
    const { config, problems } = parseDeclarativeConfig(
      JSON.stringify(declarative),
      'monitoring',
      pluginCatalog(plugins),
    );
    assert.deepEqual(problems, []);
    const log = () => {};
    const caller = new ProtobufCaller({ socketPath, log });
    const gateway = await createGateway({ config, plugins, caller, log, port: 0 });
    const { port } = await gateway.listen();
    closing.push(
      () => gateway.close(),
      () => caller.close(),
    );
    send = async (path, headers = []) =>
      (await fetch(`http://127.0.0.1:${port}/${path}`, { headers: new Headers(headers) })).status;
  });
  after(async () => {
    for (const close of closing.reverse()) await close();
    rmSync(folder, { recursive: true, force: true });
  });

  const scrape = async () =>
    seriesOf(`up 1\n${await (await fetch(`${url}/metrics`)).text()}`) as ReadonlyMap<string, string>;
  const total = async (name: string, label: string) => {
    const found = [...(await scrape())].filter(([key]) => key.startsWith(name) && key.includes(label));
    return found.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const grows = async (path: string, headers: () => [string, string][], name: string, label: string) => {
    const seen = await total(name, label);
    await eventually(`${name} ${label} grows`, PATIENCE_MS, async () => {
      await send(path, headers());
      return (await total(name, label)) > seen;
    });
  };
  const results = (path: string, who: string, key: string, result: string) =>
    grows(
      path,
      () => signed(who, key, String(Date.now())),
      'customer_verification_results_total',
      `"${result}"`,
    );
  const none = () => [];

  it('has rules and a configuration that promtool takes', () => {
    execFileSync('promtool', ['check', 'config', 'prometheus.yml'], { cwd: FOLDER, stdio: 'pipe' });
  });

  it('has expressions that find what /metrics says, and alerts that fire when they are to, and only then', async () => {
    await results('plain', 'alice', 'k', 'verified');
    await results('brief', 'alice', 'k', 'verified');
    const quiet = await scrape();

    /** Enough to be a good part of all requests. */
    const forged = async () => {
      for (let i = 0; i < 20; i++) await send('plain', signed('alice', 'guessed'));
    };
    const replayed = () =>
      eventually('a signature that was used is refused', PATIENCE_MS, async () => {
        const used = signed('alice', 'k', String(Date.now()));
        const before = await total('customer_verification_replays_refused_total', '');
        await send('once', used);
        await send('once', used);
        return (await total('customer_verification_replays_refused_total', '')) > before;
      });
    /** One of everything that may go wrong while the database answers. */
    const troubled = async () => {
      await forged();
      if (redis !== undefined) {
        await redis.stop();
        await redis.start();
        await replayed();
        await redis.stop();
      }
      await results('once', 'alice', 'k', 'replay_store_unavailable');
      await grows('throws', none, 'kong_ts_events_total', '"error"');
      await grows('slow', none, 'kong_ts_events_total', '"deadline"');
      await grows('limit', none, 'kong_ts_js_limit_hits_total', '"pdk_calls"');
      await grows('thread', none, 'kong_ts_js_thread_ends_total', '"cpu"');
    };
    await troubled();
    const first = await scrape();
    await troubled();
    await postgres.stop();
    await results('plain', 'stranger', 'k', 'database_unavailable');
    const alice = () => signed('alice', 'k', String(Date.now()));
    await grows('brief', alice, 'customer_verification_cache_lookups_total', '"stale"');
    const second = await scrape();
    await results('plain', 'stranger', 'k', 'database_unavailable');
    await grows('brief', alice, 'customer_verification_cache_lookups_total', '"stale"');
    await forged();
    const third = await scrape();

    process.kill(server.workers()[0] as number, 'SIGKILL');
    await eventually('the worker is replaced', PATIENCE_MS, async () => {
      const { workers } = (await (await fetch(`${url}/health`)).json()) as { workers: { ready: number } };
      return workers.ready === 2 && server.workers().length === 2;
    });
    const replaced = await scrape();
    const gone = new Map([['up', '0']]);

    // A minute each: 0 to 5 quiet, 6 to 12 in trouble, 13 with another worker, 14 to 16 gone.
    const scrapes = [
      ...Array(6).fill(quiet),
      first,
      second,
      ...Array(5).fill(third),
      replaced,
      gone,
      gone,
      gone,
    ] as ReadonlyMap<string, string>[];
    const firing = (alert: string, atMinute: number, gives: number): Expectation => ({
      expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0 or vector(0)`,
      atMinute,
      gives,
    });
    const WHEN: Readonly<Record<string, number>> = {
      KongTsManyRejections: 12,
      KongTsWorkerRestarted: 13,
      KongTsDown: 15,
    };
    const expectations = alerts.flatMap((alert) => [
      firing(alert, 5, 0),
      firing(alert, WHEN[alert] ?? 11, 1),
    ]);
    for (const alert of ['KongTsWorkerRestarted', 'KongTsDown']) expectations.push(firing(alert, 12, 0));
    for (const { targets } of dashboard.panels) {
      for (const { expr } of targets) {
        if (redis === undefined && expr.includes('replays_refused')) continue;
        const asked = expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', '.*');
        // No panel may divide what it has not: a result that is no number would be drawn as nothing.
        expectations.push({ expr: `count((${asked}) >= 0) > bool 0`, atMinute: 10, gives: 1 });
      }
    }
    askPrometheus(RULES, scrapes, expectations);
    // The test can fail: what no server says gives nothing.
    assert.throws(
      () => askPrometheus(RULES, scrapes, [{ expr: 'count(kong_ts_absent)', atMinute: 10, gives: 1 }]),
      /kong_ts_absent/,
    );
  });

  it('knows every metric of the plugins and the server', () => {
    const sources = [
      'src/server/metrics.ts',
      ...PLUGINS_WITH_METRICS.map((name) => `plugins/${name}/metrics.ts`),
    ];
    const used = readFileSync(RULES, 'utf8') + JSON.stringify(dashboard);
    for (const source of sources) {
      for (const [name] of readFileSync(source, 'utf8').matchAll(
        /\b(?:kong_ts|customer_verification)_[a-z_]+/g,
      )) {
        assert.ok(used.includes(name), `${name} of ${source}`);
      }
    }
    for (const { name, definition } of dashboard.templating.list) {
      if (definition !== undefined)
        assert.match(definition, /^label_values\(kong_ts_instances, \w+\)$/, name);
    }
  });
});

const PLUGINS_WITH_METRICS = ['customer-verification', 'js-functions'];
