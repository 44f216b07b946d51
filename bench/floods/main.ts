import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { signedHeaders, startCustomers } from '../../test/faults/rig.js';
import { Supervised } from '../../test/support/supervised.js';
import { residentBytes } from '../processor.js';
import { align } from '../report/align.js';
import { FloodClient } from './client.js';

const USAGE = `Usage: npm run bench:floods -- [--count N] [--rate N] [--good N]

Floods customer-verification with --count requests (500,000) at --rate per second (3,000): first with guessed signatures,
then with made-up customer ids, while good customers make --good requests per second (200) in a process of their own.
Reports what the good ones waited, the server's memory, and how much was logged.
`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500000' },
    rate: { type: 'string', default: '3000' },
    good: { type: 'string', default: '200' },
    help: { type: 'boolean' },
  },
});

const QUIET_MS = 10_000;
const CLIENTS = 8;
const MEGABYTE = 1024 * 1024;

interface Waited {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
}

type MakeHeaders = (n: number) => Record<string, string>;

const guessed: MakeHeaders = (n) => signedHeaders('forged', n);

const madeUp: MakeHeaders = (n) => ({ ...guessed(n), 'client-certificate-id': `nobody-${n}` });

/** Sends the flood; resolves with how many log lines the plugin wrote through Kong. */
async function flood(
  socket: string,
  instance: number,
  headersOf: MakeHeaders,
  count: number,
  rate: number,
  at10Percent: () => void,
): Promise<number> {
  let sent = 0;
  let logged = 0;
  const startedAt = performance.now();
  const lane = async () => {
    const client = new FloodClient(socket);
    while (sent < count) {
      const n = sent++;
      if (n === Math.floor(count / 10)) at10Percent();
      const early = startedAt + (n / rate) * 1000 - performance.now();
      if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
      const { calls, end } = await client.event(instance, headersOf(n));
      if (end !== 'exit') throw new Error(`a request of the flood was not rejected: ${end}`);
      logged += calls.filter(({ method }) => method.startsWith('kong.log.')).length;
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, lane));
  return logged;
}

async function run(count: number, rate: number, good: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kts-floods-'));
  const socket = join(folder, 'p.sock');
  const postgres = await startCustomers();
  const server = new Supervised(['--plugin', 'customer-verification', '--socket', socket], {
    env: postgres.env,
  });
  await server.serving();
  const starter = new FloodClient(socket);
  const instance = await starter.start({});
  starter.close();
  const customers = fork(join(import.meta.dirname, 'good-process.ts'), [
    socket,
    String(instance),
    String(good),
  ]);
  const waited = async () => {
    customers.send('report');
    const [report] = await once(customers, 'message');
    if ('fault' in report) throw new Error(report.fault);
    return report as Waited;
  };
  // The flood is made on the same machine: what it takes of the processors must not keep the others waiting.
  setPriority(19);
  try {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 2));
    await waited();
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const quiet = await waited();
    const rows = [['', 'p50, ms', 'p99, ms', 'p99 / quiet', 'refused', 'memory, MB', 'log lines', '/s']];
    const row = (what: string, { p50, p99, refused }: Waited, more: string[]) =>
      rows.push([
        what,
        p50.toFixed(2),
        p99.toFixed(2),
        (p99 / quiet.p99).toFixed(2),
        String(refused),
        ...more,
      ]);
    row('no flood', quiet, ['', '', '']);
    for (const [what, headersOf] of [
      ['guessed signatures', guessed],
      ['made-up customers', madeUp],
    ] as const) {
      let before = 0;
      const lines = server.output.split('\n').length;
      const startedAt = performance.now();
      const logged = await flood(socket, instance, headersOf, count, rate, () => {
        before = residentBytes([server.pid, ...server.workers()]);
      });
      const perSecond = (count / (performance.now() - startedAt)) * 1000;
      const grown = (residentBytes([server.pid, ...server.workers()]) - before) / MEGABYTE;
      const said = server.output.split('\n').length - lines + logged;
      row(`${count} ${what}`, await waited(), [`+${grown.toFixed(1)}`, String(said), perSecond.toFixed(0)]);
    }
    process.stdout.write(`${align(rows)}\n`);
  } finally {
    customers.disconnect();
    await server.stop();
    await postgres.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) process.stdout.write(USAGE);
else await run(Number(values.count), Number(values.rate), Number(values.good));
