import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { DriverProcess } from '../driver-process.js';
import type { Plan } from '../plan.js';
import { type Contestant, type RunningServer, startServer } from '../servers.js';

/** System calls per event, by name, for each outcome. */
export type SystemCalls = Record<'verified' | 'rejected', Record<string, number>>;

/** So few per second that each event has all of its wake-ups to itself, even in a server that is being traced. */
const RATE = 300;
/** Enough events for both paths to be compiled. */
const WARM_UP_EVENTS = 3000;
/** What happens once, or now and then, is no part of an event. */
const LEAST_PER_EVENT = 0.02;

/**
 * Counts what each server asks of the kernel for an event that comes alone, with `strace -c`; nothing where there is no
 * strace, or where it may not look at other processes.
 */
export async function countSystemCalls(
  plan: Plan,
  contestants: readonly Contestant[],
  driver: DriverProcess,
  say: (line: string) => void,
): Promise<Partial<Record<Contestant, SystemCalls>> | undefined> {
  if (spawnSync('strace', ['-c', 'true'], { stdio: 'ignore' }).status !== 0) {
    say('system calls are left out: strace is not installed, or may not trace');
    return undefined;
  }
  const counts: Partial<Record<Contestant, SystemCalls>> = {};
  for (const contestant of contestants) {
    const server = await startServer(contestant);
    try {
      counts[contestant] = {
        verified: await countOne(plan, server, driver, 'verified'),
        rejected: await countOne(plan, server, driver, 'rejected'),
      };
    } finally {
      await server.stop();
    }
  }
  return counts;
}

async function countOne(
  plan: Plan,
  server: RunningServer,
  driver: DriverProcess,
  outcome: 'verified' | 'rejected',
): Promise<Record<string, number>> {
  const load = {
    dialect: server.dialect,
    socket: server.socket(outcome),
    concurrency: 16,
    headerCount: 8,
    outcome,
    instances: server.instances(1),
  };
  await driver.begin(load);
  await driver.count(0, WARM_UP_EVENTS);
  await driver.end();
  await driver.begin({ ...load, rate: RATE });
  const traced = await trace(server.pids());
  const { events } = await driver.count(plan.systemCallsMeasure, 50);
  const calls = await traced();
  await driver.end();
  const perEvent = Object.entries(calls).map(([name, count]): [string, number] => [name, count / events]);
  return Object.fromEntries(perEvent.filter(([, count]) => count >= LEAST_PER_EVENT));
}

/** Starts counting; what is returned ends it. */
async function trace(pids: number[]): Promise<() => Promise<Record<string, number>>> {
  const strace = spawn('strace', ['-c', ...pids.flatMap((pid) => ['-p', String(pid)])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('attached')) resolve();
    });
    strace.once('exit', (code) => reject(new Error(`strace ended with ${code}: ${output}`)));
  });
  return async () => {
    const ended = once(strace, 'close');
    strace.kill('SIGINT');
    await ended;
    return parseCounts(output);
  };
}

/** The table of `strace -c`: share, seconds, microseconds per call, calls, errors if any, name. */
function parseCounts(table: string): Record<string, number> {
  const rows = table.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+([a-z]\w*)$/gm);
  const counts = Array.from(rows, ([, calls, name]): [string, number] => [name as string, Number(calls)]);
  return Object.fromEntries(counts.filter(([name]) => name !== 'total'));
}
