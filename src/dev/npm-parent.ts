import { describeProcess, isAlive } from './processes.js';

const POLL_MS = 250;
/** npm, a shell and tsx may stand between the user and us. */
const MAX_GENERATIONS = 4;

/**
 * Calls back when the npm that runs us as a script ends before us. npm passes a SIGTERM on to its shell, which dies of
 * it without telling us: we would run on, and nobody would know.
 */
export function onNpmGone(callback: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const npm = npmAmongAncestors();
  if (npm === undefined) return;
  const timer = setInterval(() => {
    if (isAlive(npm)) return;
    clearInterval(timer);
    callback();
  }, POLL_MS);
  timer.unref();
}

function npmAmongAncestors(): number | undefined {
  let pid = process.ppid;
  for (let generation = 0; generation < MAX_GENERATIONS && pid > 1; generation++) {
    const ancestor = describeProcess(pid);
    if (ancestor === undefined) return undefined;
    // npm changes its command line to "npm start …".
    if (/^npm\b/.test(ancestor.command)) return pid;
    pid = ancestor.parent;
  }
  return undefined;
}
