import { FunctionThread } from './function-thread.js';
import { WATCH_MS } from './watchdog.js';

/** Threads for instances that had theirs ended: at most so many. The one that was idle for longest makes room. */
const MOST_SOLITARY = 16;

/**
 * The worker threads of this process that run functions: some that instances share, and one each for instances that had
 * theirs ended. They start when they are needed, and are watched while there is something in them.
 */
class FunctionThreads {
  readonly #shared = new Set<FunctionThread>();
  readonly #solitary = new Set<FunctionThread>();
  #watch: NodeJS.Timeout | undefined;

  /**
   * A thread for an instance.
   *
   * @param most how many threads may be shared
   * @returns undefined when there is no room for another solitary one
   */
  assign(solitary: boolean, most: number): FunctionThread | undefined {
    if (solitary) {
      if (this.#solitary.size >= MOST_SOLITARY) {
        const idle = [...this.#solitary].find((thread) => thread.idle);
        if (idle === undefined) return undefined;
        this.#solitary.delete(idle);
        idle.end();
      }
      return this.#start(this.#solitary);
    }
    const least = [...this.#shared].reduce<FunctionThread | undefined>(
      (found, thread) => (found === undefined || thread.size < found.size ? thread : found),
      undefined,
    );
    if (least === undefined || (least.size > 0 && this.#shared.size < most)) return this.#start(this.#shared);
    return least;
  }

  /** Has the first thread started before there is a request that would wait for it. */
  prepare(): void {
    if (this.#shared.size === 0) this.#start(this.#shared);
  }

  /** Says that there are runs in some thread. */
  watch(): void {
    this.#watch ??= setInterval(() => {
      const now = performance.now();
      let busy = false;
      for (const thread of [...this.#shared, ...this.#solitary]) {
        if (thread.idle) continue;
        busy = true;
        thread.watch(now);
      }
      if (busy) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    }, WATCH_MS).unref();
  }

  #start(threads: Set<FunctionThread>): FunctionThread {
    const thread = new FunctionThread(threads === this.#solitary, (ended) => threads.delete(ended));
    threads.add(thread);
    return thread;
  }
}

/** One per process. */
export const functionThreads = new FunctionThreads();
