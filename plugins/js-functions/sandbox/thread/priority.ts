import { getPriority, setPriority } from 'node:os';

/** How much nicer than its process a thread of functions is: a tenth of a processor where others want all of it. */
const NICER = 10;
const NICEST = 19;

/**
 * Lets the thread that talks to Kong, and everything else on the machine, go before this thread. Functions that burn
 * all that they may on every processor would have it wait for its turn otherwise.
 */
export function giveWay(): void {
  // A priority is a thread's own on Linux only; elsewhere it would be the process's.
  if (process.platform !== 'linux') return;
  try {
    setPriority(Math.min(getPriority() + NICER, NICEST));
  } catch {
    // Not allowed here: they go on as equals.
  }
}
