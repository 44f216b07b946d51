import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CliProcess } from '../test/support/cli.js';
import { KongPeer } from '../test/support/kong-peer.js';
import { corpus } from './corpus.js';
import { mutate, seeded } from './mutate.js';

const USAGE = `Usage: npm run fuzz -- [--seconds N] [--seed N]

Sends mutations of what a real Kong sent to a plugin server, on many connections at once, and checks that it lives, that
a connection that says nothing wrong is answered throughout, that a bad one costs one line in the log at most, and that
memory comes back.
`;

const PLUGIN = `
export const Schema = [];
export const version = '1.0.0';
export const priority = 1;
export class Plugin {
  async access(kong) {
    kong.response.setHeader('x-fuzz', String(await kong.request.getHeader('x-fuzz')));
  }
}
`;

const AT_ONCE = 100;
const SLOW_MS = 20;
const MOST_GROWTH_BYTES = 150 * 1024 * 1024;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const random = seeded(seed);
  const seeds = [corpus('protobuf'), corpus('msgpack')];
  process.stdout.write(`seed ${seed}, ${seeds.map((part) => part.length).join(' + ')} recorded pieces\n`);

  const folder = mkdtempSync(join(tmpdir(), 'kts-fuzz-'));
  mkdirSync(join(folder, 'plugins'));
  writeFileSync(join(folder, 'plugins', 'fuzz.mjs'), PLUGIN);
  const socket = join(folder, 'p.sock');
  const server = new CliProcess(['-d', join(folder, 'plugins'), '--socket', socket, '--linger', '0']);
  let inputs = 0;
  let batch: Buffer[] = [];
  try {
    await server.said(/server started at path/);
    const good = new KongPeer(socket);
    const id = await good.start('fuzz', {});
    if (id === undefined) throw new Error('the good connection got no instance');
    const isWell = async () => {
      const { end, calls } = await good.event(id, 'access', {
        'kong.request.get_header': { v: 'still here' },
      });
      const header = calls.find(({ method }) => method === 'kong.response.set_header');
      if (end !== 'returned' || !JSON.stringify(header?.args).includes('still here')) {
        throw new Error(`a connection that did nothing wrong was disturbed: ${end} ${JSON.stringify(calls)}`);
      }
    };
    await isWell();
    let baseline = 0;
    const until = Date.now() + Number(values.seconds) * 1000;
    while (Date.now() < until) {
      batch = Array.from({ length: AT_ONCE }, () =>
        mutate(seeds[random() < 0.5 ? 0 : 1] as Buffer[], random),
      );
      await Promise.all(batch.map((bytes) => send(socket, bytes, random)));
      inputs += batch.length;
      await isWell();
      if (server.child.exitCode !== null || server.child.signalCode !== null)
        throw new Error('the server has ended');
      if (inputs === 50 * AT_ONCE) baseline = residentBytes(server.child.pid as number);
    }
    const lines = server.log.split('\n').filter((line) => /connection closed/.test(line)).length;
    if (lines > inputs) throw new Error(`${lines} lines in the log for ${inputs} inputs`);
    const growth = baseline === 0 ? 0 : residentBytes(server.child.pid as number) - baseline;
    if (growth > MOST_GROWTH_BYTES) throw new Error(`memory has grown by ${growth} bytes`);
    good.close();
    process.stdout.write(
      `${inputs} inputs, ${lines} refused with a line, memory ${(growth / 1e6).toFixed(1)} MB over that after ${50 * AT_ONCE}\n`,
    );
  } catch (error) {
    process.stdout.write(`seed ${seed}, after ${inputs} inputs, in one of:\n`);
    for (const bytes of batch) process.stdout.write(`${bytes.toString('hex')}\n`);
    process.stdout.write(server.log.slice(-4000));
    throw error;
  } finally {
    await server.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

/** Sends bytes, whole or in two pieces, waits a moment for the server to close, and hangs up. */
function send(path: string, bytes: Buffer, random: () => number): Promise<void> {
  const cut = random() < 0.3 ? Math.floor(random() * bytes.length) : bytes.length;
  return new Promise((resolve) => {
    const socket = connect(path);
    // What the server makes of the bytes is its business; that it lives is asked elsewhere.
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    socket.write(bytes.subarray(0, cut));
    setTimeout(() => {
      if (cut < bytes.length && !socket.destroyed) socket.write(bytes.subarray(cut));
      socket.end();
      setTimeout(() => socket.destroy(), SLOW_MS);
    }, random() * SLOW_MS);
  });
}

function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

await main();
