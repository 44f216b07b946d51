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

/** What processes have used since they started. */
export interface Usage {
  /**
   * CPU time of all threads, in microseconds. The kernel's scheduler counts it in nanoseconds per thread (`schedstat`);
   * where it does not, `stat` counts it in hundredths of a second.
   */
  cpu: number;
  /** The parts of it that `stat` counts for the program and for the kernel, which are sampled: add up many. */
  user: number;
  system: number;
  /** How often the main thread, which has the event loop, went to sleep and was woken. */
  wakeUps: number;
}

export function usage(pids: number[]): Usage {
  const used: Usage = { cpu: 0, user: 0, system: 0, wakeUps: 0 };
  for (const pid of pids) {
    const fields = statFields(pid) ?? [];
    const user = Number(fields[11] ?? 0) * TICK;
    const system = Number(fields[12] ?? 0) * TICK;
    used.user += user;
    used.system += system;
    used.cpu += scheduled(pid) ?? user + system;
    used.wakeUps += Number(statusField(pid, 'voluntary_ctxt_switches') ?? 0);
  }
  return used;
}

/** CPU time alone, in microseconds. */
export function cpuMicroseconds(pids: number[]): number {
  return usage(pids).cpu;
}

/** What was used between two looks. */
export function usedBetween(before: Usage, after: Usage): Usage {
  return {
    cpu: after.cpu - before.cpu,
    user: after.user - before.user,
    system: after.system - before.system,
    wakeUps: after.wakeUps - before.wakeUps,
  };
}

/** Microseconds of what `stat` counts in. */
const TICK = 10_000;

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
  return pids.reduce((total, pid) => total + Number.parseInt(statusField(pid, 'VmRSS') ?? '0', 10) * 1024, 0);
}

function statusField(pid: number, name: string): string | undefined {
  return new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}
