import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Which CPUs the two sides run on, as `taskset` writes them; nothing where it cannot be had. */
export interface Placement {
  driver?: string;
  server?: string;
}

/** Puts the servers on the last CPU and the driver and this process on another one. */
export function placeProcesses(): Placement {
  if (availableParallelism() < 2 || spawnSync('taskset', ['--version']).error !== undefined) return {};
  const allowed = /: (.*)/.exec(
    execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' }),
  )?.[1];
  const cpus = (allowed ?? '').split(',').flatMap((range) => {
    const [first, last] = range.split('-').map(Number);
    if (first === undefined || Number.isNaN(first)) return [];
    return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);
  });
  const driver = cpus.at(0);
  const server = cpus.at(-1);
  if (driver === undefined || server === undefined || driver === server) return {};
  execFileSync('taskset', ['-cp', String(driver), String(process.pid)], { stdio: 'ignore' });
  return { driver: String(driver), server: String(server) };
}

/** A command line that runs pinned to `cpu`, or anywhere without one. */
export function pinned(cpu: string | undefined, command: string[]): string[] {
  return cpu === undefined ? command : ['taskset', '-c', cpu, ...command];
}

/** A process and all its descendants. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statFields(Number(entry))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/**
 * CPU time that all threads of the processes have used, in microseconds. The kernel's scheduler counts it in
 * nanoseconds per thread (`schedstat`); where it does not, `stat` counts it in hundredths of a second.
 */
export function cpuMicroseconds(pids: number[]): number {
  let total = 0;
  for (const pid of pids) total += scheduled(pid) ?? ticks(pid);
  return total;
}

function scheduled(pid: number): number | undefined {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    }
    return nanoseconds / 1000;
  } catch {
    // The kernel keeps no such count, or a thread ended meanwhile.
    return undefined;
  }
}

function ticks(pid: number): number {
  const fields = statFields(pid);
  return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** The fields of `/proc/PID/stat` from the third on, which is behind the name in parentheses. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Resident memory of the processes together, in bytes. */
export function residentBytes(pids: number[]): number {
  let total = 0;
  for (const pid of pids) {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    total += Number(kilobytes ?? 0) * 1024;
  }
  return total;
}
