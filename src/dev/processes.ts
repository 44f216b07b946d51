import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process of this id runs, ours to signal or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Signals a process; one that has ended meanwhile is left in peace. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The id of a process's parent and its command line; undefined when it has ended. */
export function describeProcess(pid: number): { parent: number; command: string } | undefined {
  try {
    if (process.platform !== 'linux') {
      const [, parent, command] = /^\s*(\d+)\s+(.*)/.exec(ps('-o', 'ppid=,args=', '-p', String(pid))) ?? [];
      return { parent: Number(parent ?? 0), command: command ?? '' };
    }
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ');
    return { parent: parentFromStat(pid), command };
  } catch {
    return undefined;
  }
}

/** The ids of a process's direct children. */
export function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') {
    return ps('-A', '-o', 'pid=,ppid=')
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([id, parent]) => (parent === pid && id !== undefined ? [id] : []));
  }
  return allProcesses().filter((id) => describeProcess(id)?.parent === pid);
}

/** The ids of all processes that can be seen. */
export function allProcesses(): number[] {
  const names = process.platform === 'linux' ? readdirSync('/proc') : ps('-A', '-o', 'pid=').split('\n');
  return names.filter((name) => /^\s*\d+\s*$/.test(name)).map(Number);
}

/** "pid (name) state ppid …": the name may hold blanks and brackets. */
function parentFromStat(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function ps(...args: string[]): string {
  return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
