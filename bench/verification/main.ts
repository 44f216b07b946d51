import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { PluginServerProcess } from '../../src/dev/plugin-server.js';
import { Postgres } from '../../src/dev/postgres.js';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { createPluginCaller } from '../../src/gateway/rpc/create-caller.js';
import { type LoadResult, runLoad } from './load.js';

const USAGE = `Usage: npm run bench:verification -- [--seconds N] [--rounds N] [--customers N,N]

Requests per second through the local gateway, side by side: a database connection per request, a pooled query per
request, and the cache.
`;

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const CONNECTIONS = 16;
const WAYS = ['connection', 'pool', 'cache'] as const;
type Way = (typeof WAYS)[number];

const KONG_YML = (port: number) => `
_format_version: "3.0"
services:
  - name: echo
    url: http://127.0.0.1:${port}
    routes:
      - name: connection
        paths: [/connection]
        plugins: [{ name: connection-per-request }]
      - name: pool
        paths: [/pool]
        plugins:
          - name: customer-verification
            config: { cache_ttl: 0, stale_ttl: 0, negative_cache_ttl: 0 }
      - name: cache
        paths: [/cache]
        plugins: [{ name: customer-verification }]
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      customers: { type: 'string', default: '1000,1000000' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'kts-bench-'));
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  try {
    const postgres = await Postgres.create({ sqlFiles: [join(root, 'db/schema.sql')] });
    closers.push(() => postgres.dispose());
    const gatewayUrl = await startGateway(folder, postgres.env, closers);
    let created = 0;
    for (const count of values.customers.split(',').map(Number)) {
      await addCustomers(postgres.url, created, count);
      created = count;
      const results = await compare(gatewayUrl, count, Number(values.rounds), Number(values.seconds) * 1000);
      print(count, results);
    }
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function startGateway(
  folder: string,
  env: Record<string, string>,
  closers: (() => unknown)[],
): Promise<string> {
  const reexport = (name: string, from: string) =>
    writeFileSync(join(folder, name), `export * from ${JSON.stringify(join(root, from))};`);
  reexport('customer-verification.ts', 'plugins/customer-verification/index.js');
  reexport('connection-per-request.ts', 'bench/verification/connection-per-request.mjs');
  const socketPath = join(folder, 'bench.sock');
  const server = new PluginServerProcess({
    socketPath,
    pluginsDirectory: folder,
    env,
    log: (line) => process.stderr.write(`${line}\n`),
    onProcesses: () => undefined,
  });
  const plugins = await server.queryPlugins();
  closers.push(() => server.stop());
  await server.start();
  const upstream = await startEchoUpstream();
  closers.push(() => upstream.close());
  const { config, problems } = parseDeclarativeConfig(
    KONG_YML(upstream.port),
    'bench.yml',
    pluginCatalog(plugins),
  );
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const log = (level: string, text: string) => process.stderr.write(`${level}: ${text}\n`);
  const caller = createPluginCaller('protobuf', { socketPath, log });
  closers.push(() => caller.close());
  const quiet = () => undefined;
  const gateway = await createGateway({ config, plugins, caller, log: quiet, port: 0, host: '127.0.0.1' });
  closers.push(() => gateway.close());
  return `http://127.0.0.1:${(await gateway.listen()).port}`;
}

async function addCustomers(url: string, from: number, to: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // A million notifications would be measured too.
  await client.query('alter table customer disable trigger user');
  await client.query(
    `insert into customer (certificate, authentication)
     select 'bench-' || n, jsonb_build_object('client_key', 'key-' || n) from generate_series($1::int, $2::int) n`,
    [from, to - 1],
  );
  await client.query('alter table customer enable trigger user');
  await client.query('analyze customer');
  await client.end();
}

async function compare(
  url: string,
  count: number,
  rounds: number,
  milliseconds: number,
): Promise<Record<Way, LoadResult>> {
  const samples: Record<Way, LoadResult[]> = { connection: [], pool: [], cache: [] };
  for (const way of WAYS) await runLoad(`${url}/${way}`, { count }, CONNECTIONS, milliseconds / 2);
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      samples[way].push(await runLoad(`${url}/${way}`, { count }, CONNECTIONS, milliseconds));
    }
  }
  const median = (way: Way) => {
    const sorted = samples[way].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
    return sorted[Math.floor(sorted.length / 2)] as LoadResult;
  };
  return { connection: median('connection'), pool: median('pool'), cache: median('cache') };
}

function print(count: number, results: Record<Way, LoadResult>): void {
  const base = results.connection.requestsPerSecond;
  process.stdout.write(`\n${count} customers, ${CONNECTIONS} connections\n`);
  for (const way of WAYS) {
    const { requestsPerSecond, p50Ms, p99Ms } = results[way];
    const ratio = (requestsPerSecond / base).toFixed(2);
    process.stdout.write(
      `${way.padEnd(12)} ${requestsPerSecond.toFixed(0).padStart(6)}/s  ×${ratio}  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms\n`,
    );
  }
}

await main();
