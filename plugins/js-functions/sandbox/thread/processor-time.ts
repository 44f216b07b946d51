import { readFileSync } from 'node:fs';

/** From Node 22.19 and 23.9 on. */
type ThreadCpuUsage = (() => NodeJS.CpuUsage) | undefined;

/** The scheduler's account of the thread that reads it: nanoseconds of running, of waiting, and turns. */
const THREAD_ACCOUNT = '/proc/thread-self/schedstat';

let hasAccount = true;

/**
 * Processor time that this thread has used, milliseconds, from an arbitrary start.
 *
 * The process's would do where the thread's cannot be had, but counts what the engine compiles and collects on other
 * threads, too.
 */
export function threadProcessorMs(): number {
  const usage = (process as { threadCpuUsage?: ThreadCpuUsage }).threadCpuUsage?.() ?? undefined;
  if (usage !== undefined) return (usage.user + usage.system) / 1000;
  if (hasAccount) {
    try {
      return Number(readFileSync(THREAD_ACCOUNT, 'latin1').split(' ')[0]) / 1e6;
    } catch {
      hasAccount = false;
    }
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
