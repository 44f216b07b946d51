import { getPriority, setPriority } from 'node:os';

/** As nice as a thread becomes at most: it gets a tenth of a processor then where others want all of it. */
export const MOST_NICER = 10;
const NICEST = 19;

let nicer = 0;

/**
 * Has the thread that talks to Kong, and everything else on the machine, go further before this one: functions that take
 * all that they may on every processor would have it wait for its turn.
 *
 * Where functions keep to their limits all go as equals: a thread that is pushed aside for every message costs half as
 * much again.
 */
export function giveWay(steps: number): void {
  // A priority is a thread's own on Linux only; elsewhere it would be the process's.
  if (process.platform !== 'linux' || nicer === MOST_NICER) return;
  const before = nicer;
  nicer = Math.min(nicer + steps, MOST_NICER);
  try {
    setPriority(Math.min(getPriority() + nicer - before, NICEST));
  } catch {
    // Not allowed here: they go on as equals.
  }
}
