import { HandlerExit } from '../pdk/errors.js';
import { describeError } from './errors.js';
import type { Log } from './log.js';

/** What can be stopped. */
interface Stoppable {
  /** Ends everything cleanly, in this many milliseconds at most. */
  stop(graceMs: number): Promise<void>;
}

/** Kong follows its SIGTERM with a SIGKILL some 20 ms later. */
const GRACE_MS = 12;
const PARENT_CHECK_MS = 500;

/**
 * Ends the process on SIGTERM and SIGINT, within the moment that Kong leaves for it: long enough to answer the events
 * under way, and to end connections in the way after which Kong tries again.
 */
export function stopOnSignals(
  server: Stoppable,
  log: Log,
  signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'],
): void {
  for (const signal of signals) {
    process.once(signal, async () => {
      await server.stop(GRACE_MS);
      log.notice(`${signal}: stopped`);
      process.exit(0);
    });
  }
}

/**
 * Keeps the process alive through errors that a plugin lost track of: one forgotten promise must not take down every
 * plugin's authentication. Each is logged with where it came from, but for the end of a handler that called
 * `kong.response.exit` in a function it did not wait for: that is no error.
 */
export function surviveStrayErrors(log: Log): void {
  surviveClosedOutput();
  const say = (kind: string) => (error: unknown) => {
    if (error instanceof HandlerExit) return;
    const trace = error instanceof Error ? error.stack : undefined;
    log.error(`${kind}: ${trace ?? describeError(error)}`);
  };
  process.on('unhandledRejection', say('a promise was rejected and nobody caught it'));
  process.on('uncaughtException', say('an exception was thrown outside of any handler'));
}

let outputClosed = false;

/**
 * Lets the process live when nobody reads its output any more, as when the nginx worker that started it has died. An
 * error that was logged would fail to be written, and be logged.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      outputClosed = true;
    });
  }
}

/**
 * Calls `end` when the process that started this one is gone and nobody reads the output any more: a Kong that was
 * killed, or one of its workers. A daemon, whose parent has gone as well, writes to somewhere else.
 */
export function whenAbandoned(log: Log, end: () => void): void {
  const parent = process.ppid;
  let told = false;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    if (!told) log.notice('the process that started this one is gone');
    else {
      clearInterval(timer);
      if (outputClosed) end();
    }
    told = true;
  }, PARENT_CHECK_MS);
  timer.unref();
}
