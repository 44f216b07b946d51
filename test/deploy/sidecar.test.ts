import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CliProcess, type Finished, runCli } from '../support/cli.js';

// Kong and the plugin server as two users who share a group, as Dockerfile.sidecar and docker-compose.sidecar.yml have it.

const SERVER = 10001;
const KONG = 1000;
const STRANGER = 1001;

const as = (user: number, groups: readonly number[] = []) => [
  ...['setpriv', '--reuid', String(user), '--regid', String(user)],
  ...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
];
const server = as(SERVER);
const kong = as(KONG, [SERVER]);
const stranger = as(STRANGER);

function leftOut(): string | false {
  if (process.getuid?.() !== 0) return 'left out: only root can start processes of other users';
  const [program = '', ...args] = stranger;
  const readable = spawnSync(program, [...args, process.execPath, '-e', 'require("fs").readdirSync(".")']);
  if (readable.error !== undefined) return 'left out: setpriv is not installed';
  return readable.status === 0 ? false : 'left out: other users cannot read this checkout';
}

const PLUGIN = `
exports.Plugin = class {
  async access(kong) {
    const body = await kong.request.getRawBody();
    kong.response.exit(200, { bytes: body.length, pid: process.pid });
  }
};
exports.version = '1.0.0';
exports.priority = 1;
exports.Schema = [];
`;

interface Answer {
  readonly bytes: number;
  readonly pid: number;
}

describe('a sidecar of another user', { skip: leftOut() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-sidecar-'));
  const shared = join(folder, 'run');
  const plugins = join(folder, 'plugins');
  const socket = join(shared, 'measure.sock');
  const dumps = join(shared, 'dumps');
  const env = { PATH: process.env.PATH, TMPDIR: join(folder, 'tmp'), HOME: '/nonexistent' };
  const started: CliProcess[] = [];
  const start = (args: readonly string[], options: ConstructorParameters<typeof CliProcess>[1]) => {
    const process = new CliProcess(args, { env, ...options });
    started.push(process);
    return process;
  };
  const serve = async () => {
    const flags = ['--linger', '0', '--socket-mode', '0660', '--write-dump', dumps];
    const process = start(['serve', '-d', plugins, '--socket', socket, ...flags], { runner: server });
    await process.said(/server started/);
    return process;
  };
  let port: string;
  const serveKong = async () => {
    const script = resolve('test/support/kong-side.ts');
    const process = start([plugins, 'measure', socket], { runner: kong, script });
    port = (await process.said(/gateway at (\d+), uid 1000/))[1] as string;
    return process;
  };
  const send = (body = 'x') => fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
  const pidOf = async (response: Response) => ((await response.json()) as Answer).pid;
  const health = (runner: readonly string[]): Promise<Finished> =>
    runCli(['health', '--socket', socket], { env, runner });

  let sidecar: CliProcess;
  let gateway: CliProcess;
  before(async () => {
    chmodSync(folder, 0o755);
    mkdirSync(plugins);
    writeFileSync(join(plugins, 'measure.cjs'), PLUGIN);
    mkdirSync(env.TMPDIR);
    chmodSync(env.TMPDIR, 0o1777);
    // As Dockerfile.sidecar makes it.
    mkdirSync(shared);
    chownSync(shared, SERVER, SERVER);
    chmodSync(shared, 0o2750);
    sidecar = await serve();
    gateway = await serveKong();
  });
  after(async () => {
    for (const process of started) await process.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('can be asked by its group, and by nobody else', async () => {
    const { mode, uid, gid } = statSync(socket);
    assert.deepEqual([(mode & 0o777).toString(8), uid, gid], ['660', SERVER, SERVER]);
    const [forKong, forStranger] = await Promise.all([health(kong), health(stranger)]);
    assert.equal(forKong.code, 0, forKong.stderr);
    assert.equal(forStranger.code, 1);
  });

  it('has dumps that /bin/cat prints for Kong', () => {
    const [program = '', ...args] = kong;
    const printed = execFileSync(program, [...args, '/bin/cat', join(dumps, 'measure.json')], {
      encoding: 'utf8',
    });
    const { Protocol, Plugins } = JSON.parse(printed);
    assert.deepEqual([Protocol, Plugins[0].Name], ['ProtoBuf:1', 'measure']);
    const [other = '', ...otherArgs] = stranger;
    assert.notEqual(spawnSync(other, [...otherArgs, '/bin/cat', join(dumps, 'measure.json')]).status, 0);
  });

  it('reads a body that nginx holds in memory, and says why not when it is in a file of another user', async () => {
    assert.deepEqual(((await (await send('four')).json()) as Answer).bytes, 4);
    const refused = await send('x'.repeat(100_000));
    assert.equal(refused.status, 500);
    await gateway.said(/the body is in \S+, which cannot be read: EACCES/);
  });

  it('is replaced under traffic by a new one beside it, and no request is lost', async () => {
    const statuses = new Map<number, number>();
    const pids = new Set<number>();
    let over = false;
    const traffic = Array.from({ length: 4 }, async () => {
      while (!over) {
        const response = await send();
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        pids.add(await pidOf(response));
      }
    });
    try {
      const next = await serve();
      await sidecar.stop('SIGTERM');
      sidecar = next;
      const served = [...statuses.values()].reduce((sum, n) => sum + n, 0);
      while ((statuses.get(200) ?? 0) < served + 50) await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      over = true;
      await Promise.allSettled(traffic);
    }
    await Promise.all(traffic);
    assert.deepEqual([...statuses.keys()], [200]);
    assert.equal(pids.size, 2);
  });

  it('serves on when Kong is started anew', async () => {
    const before = await pidOf(await send());
    await gateway.stop('SIGTERM');
    gateway = await serveKong();
    assert.equal(await pidOf(await send()), before);
  });

  it('is used again by a Kong that stayed, after a gap', async () => {
    await sidecar.stop('SIGTERM');
    assert.equal((await send()).status, 500);
    assert.equal((await health(kong)).code, 1);
    sidecar = await serve();
    let status = 0;
    for (let tries = 0; status !== 200 && tries < 200; tries++) status = (await send()).status;
    assert.equal(status, 200);
  });

  it('is what the files say', () => {
    const dockerfile = readFileSync('Dockerfile.sidecar', 'utf8');
    assert.match(dockerfile, new RegExp(`install -d -o ${SERVER} -g ${SERVER} -m 2750 /run/kong-ts`));
    assert.match(dockerfile, new RegExp(`\nUSER ${SERVER}:${SERVER}\nENTRYPOINT`));
    assert.match(
      readFileSync('docker-compose.sidecar.yml', 'utf8'),
      new RegExp(`group_add:\n +- "${SERVER}"`),
    );
  });
});
