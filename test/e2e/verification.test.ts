import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import * as customerVerification from '../../plugins/customer-verification/index.js';
import type { EchoedRequest } from '../../src/gateway/echo-upstream.js';
import { startTestGateway } from '../../src/testing/index.js';
import { rawRequest } from '../gateway/raw-client.js';
import { eventually, signed } from '../plugins/customer-verification/rig.js';
import { CliProcess } from '../support/cli.js';

const CUSTOMER = '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346';
const HOST: [string, string] = ['Host', 'e2e.test'];
/** Recovery takes seconds at most; a busy machine may need more. */
const PATIENCE_MS = 60_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function send(port: number, headers: [string, string][]): Promise<Answer> {
  const { statusLine, body } = await rawRequest(port, { path: '/', headers: [HOST, ...headers] });
  return { status: Number(statusLine.split(' ')[1]), body };
}

const good = (id = 'demo-certificate', key = 'demo-key') => signed(id, key);
const forged = () => signed('demo-certificate', 'guessed');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the whole thing, as one command starts it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-e2e-'));
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o755);
  let dev: CliProcess;
  let port: number;
  let postgresUrl: string;

  const sql = async (text: string) => {
    const client = new pg.Client({ connectionString: postgresUrl });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };
  const pluginServerPid = () =>
    Number([...dev.stdout.matchAll(/server started at path .*?, pid (\d+)/g)].at(-1)?.[1]);
  const becomes = (what: string, headers: [string, string][], status: number) =>
    eventually(what, PATIENCE_MS, async () => (await send(port, headers)).status === status);

  before(async () => {
    dev = new CliProcess(['dev', '--port', '0'], { env: { ...process.env, TMPDIR: folder } });
    port = Number((await dev.said(/gateway +http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    postgresUrl = (await dev.said(/PostgreSQL (postgres:\S+)/))[1] as string;
    await dev.said(/Ctrl-C stops everything/);
    await sql(`insert into customer (certificate, authentication) values ('later', '{"client_key": "k"}')`);
    await becomes('the demo customer is let through', good(), 200);
  });
  after(async () => {
    await dev.stop('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });

  it('says first that it is no production gateway', () => {
    assert.match(dev.stdout.split('\n')[0] as string, /for development and tests, not for production/);
  });

  it('tells the upstream who the customer is, and nobody else can', async () => {
    for (const name of ['X-Customer-Id', 'x-customer-id', 'X-CUSTOMER-ID', 'X_Customer_Id']) {
      const { status, body } = await send(port, [[name, 'forged'], ...good(), [name, 'again']]);
      assert.equal(status, 200, name);
      const received = JSON.parse(body) as EchoedRequest;
      const ids = received.headers.filter(([key]) => key.toLowerCase() === 'x-customer-id');
      assert.deepEqual(
        ids.map(([, value]) => value),
        [CUSTOMER],
        name,
      );
      assert.ok(!body.includes('forged') && !body.includes('again'), name);
    }
  });

  it('refuses what is forged, unknown, or not whole', async () => {
    const [id, signature, time] = good() as [[string, string], [string, string], [string, string]];
    const refusals: [string, [string, string][], number][] = [
      ['forged', forged(), 403],
      ['unknown customer', good('nobody', 'demo-key'), 403],
      ['SQL', signed(`' or 1=1 --`, 'demo-key'), 403],
      ['missing', [id, signature], 400],
      ['empty', [id, signature, [time[0], '']], 400],
      ['twice', [id, id, signature, time], 400],
    ];
    for (const [what, headers, status] of refusals) {
      const answer = await send(port, headers);
      const message = status === 403 ? 'Access Forbidden' : 'Invalid Headers';
      assert.deepEqual(
        [answer.status, answer.body.includes(message)],
        [status, true],
        `${what}: ${answer.body}`,
      );
    }
    const rows = await sql('select certificate from customer order by certificate');
    assert.deepEqual(rows, [{ certificate: 'demo-certificate' }, { certificate: 'later' }]);
  });

  it('lets no forged request through while its plugin server is killed, and recovers', async () => {
    const pid = pluginServerPid();
    const statuses = new Map<number, number>();
    let stop = false;
    const client = async () => {
      while (!stop) {
        const { status } = await send(port, forged());
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const load = Promise.all(Array.from({ length: 4 }, client));
    await eventually('the load has begun', PATIENCE_MS, () => (statuses.get(403) ?? 0) > 20);
    process.kill(pid, 'SIGKILL');
    await eventually('a new server', PATIENCE_MS, () => pluginServerPid() !== pid);
    const refused = statuses.get(403) ?? 0;
    await eventually('it serves', PATIENCE_MS, () => (statuses.get(403) ?? 0) > refused + 20);
    stop = true;
    await load;
    const failed = [...statuses.keys()].filter((status) => status !== 403);
    assert.ok(failed.length > 0, 'the kill was felt');
    assert.ok(
      failed.every((status) => status >= 500),
      JSON.stringify([...statuses]),
    );
    await becomes('the demo customer is let through again', good(), 200);
  });

  it('refuses a customer it cannot look up, says why, and lets it through after the repair', async () => {
    dev.child.kill('SIGUSR2');
    await dev.said(/PostgreSQL is stopped/);
    assert.equal((await send(port, good('later', 'k'))).status, 403);
    await dev.said(/\[(warn|error)\] customer-verification: .*(57P01|ECONNREFUSED)/);
    dev.child.kill('SIGUSR2');
    await dev.said(/PostgreSQL is running again/);
    await becomes('the customer is let through', good('later', 'k'), 200);
    assert.ok(!`${dev.stdout}${dev.stderr}`.includes('guessed'));
  });

  it('leaves nothing behind after Ctrl-C', async () => {
    const [session = ''] = readdirSync(folder).filter((name) => name.startsWith('kong-ts-pluginserver-'));
    const postmaster = readdirSync(join(folder, session), { recursive: true, encoding: 'utf8' }).find(
      (name) => name.endsWith('postmaster.pid'),
    );
    const pids = [
      pluginServerPid(),
      Number.parseInt(readFileSync(join(folder, session, postmaster as string), 'utf8'), 10),
    ];
    assert.deepEqual(pids.map(isAlive), [true, true]);
    const { code } = await dev.stop('SIGINT');
    assert.equal(code, 0);
    assert.deepEqual(pids.map(isAlive), [false, false]);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('kong-ts-pluginserver-')),
      [],
    );
  });
});

describe('a plugin server that is killed under forged load, and stays away', () => {
  const GUARD = 'if not kong.ctx.shared.customer_verified then return kong.response.exit(503, "no mark") end';
  const folder = mkdtempSync(join(tmpdir(), 'kts-e2e-'));
  const closers: (() => unknown)[] = [];
  const ports: Record<string, number> = {};
  let server: CliProcess;

  before(async () => {
    const socketPath = join(folder, 'p.sock');
    // Forged requests need no database: whatever cannot be looked up is refused.
    const env = {
      ...process.env,
      SERVER_DB_HOST: '127.0.0.1',
      SERVER_DB_PORT: '1',
      SERVER_DB_USER: 'u',
      SERVER_DB_PASSWORD: 'p',
      SERVER_DB_DATABASE: 'd',
    };
    const args = ['--plugin', 'customer-verification', '--socket', socketPath];
    server = new CliProcess(args, { env });
    await server.said(/server started/);
    for (const protocol of ['protobuf', 'msgpack'] as const) {
      for (const guarded of [false, true]) {
        const guard = { name: 'post-function', config: { access: [GUARD] } };
        const gateway = await startTestGateway({
          plugins: { 'customer-verification': customerVerification },
          config: {
            _format_version: '3.0',
            services: [{ name: 'echo', url: 'http://upstream', routes: [{ name: 'all', paths: ['/'] }] }],
            plugins: [{ name: 'customer-verification' }, ...(guarded ? [guard] : [])],
          },
          socket: socketPath,
          protocol,
        });
        closers.push(() => gateway.close());
        ports[`${protocol}${guarded ? ' with the guard' : ''}`] = Number(new URL(gateway.url).port);
      }
    }
  });
  after(async () => {
    for (const close of closers.reverse()) await close();
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets forged requests through over MsgPack:1 without the guard, and in no other way', async () => {
    const passed: Record<string, number> = {};
    const ended: Promise<void>[] = [];
    let refused = 0;
    let killed = false;
    for (const [name, port] of Object.entries(ports)) {
      passed[name] = 0;
      assert.equal((await send(port, forged())).status, 403, `${name}: served`);
      const client = async () => {
        let afterwards = 0;
        while (afterwards < 10) {
          if (killed) afterwards++;
          const { status } = await send(port, forged());
          if (status === 200) passed[name] = (passed[name] ?? 0) + 1;
          else if (status === 403) refused++;
          else assert.ok(status === 500 || status === 503, `${name}: ${status}`);
        }
      };
      ended.push(client(), client());
    }
    await eventually('the load has begun', PATIENCE_MS, () => refused > 40);
    await server.kill();
    killed = true;
    await Promise.all(ended);
    const { msgpack, ...others } = passed;
    assert.ok((msgpack as number) >= 10, 'the hole that the guard closes');
    assert.deepEqual(others, { protobuf: 0, 'protobuf with the guard': 0, 'msgpack with the guard': 0 });
  });
});
