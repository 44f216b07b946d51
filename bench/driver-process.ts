import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Load } from './driver/load.js';
import type { DriverAnswer, DriverCommand } from './driver/main.js';
import type { LoadResult } from './driver/tally.js';
import { pinned } from './processor.js';

/** The driver, in a process of its own so that its work is no part of what is measured. */
export class DriverProcess {
  readonly #child: ChildProcess;

  constructor(cpu: string | undefined) {
    const main = fileURLToPath(new URL('driver/main.ts', import.meta.url));
    const command = pinned(cpu, [process.execPath, '--import', import.meta.resolve('tsx'), main]);
    this.#child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** Opens connections and instances and starts events, which go on until `end`. */
  async begin(load: Load): Promise<void> {
    await this.#ask({ command: 'begin', load });
  }

  /** Counts for at least that long and until at least that many events have ended. */
  async count(milliseconds: number, events: number): Promise<LoadResult> {
    const answer = await this.#ask({ command: 'count', milliseconds, events });
    if (!('result' in answer) || answer.result === undefined) throw new Error('the driver counted nothing');
    return answer.result;
  }

  /** Lets the events under way end and closes every connection. */
  async end(): Promise<void> {
    await this.#ask({ command: 'end' });
  }

  stop(): void {
    this.#child.kill();
  }

  #ask(command: DriverCommand): Promise<DriverAnswer> {
    return new Promise((resolve, reject) => {
      const answered = (answer: DriverAnswer) => {
        this.#child.off('exit', exited);
        if ('fault' in answer) reject(new Error(`driver: ${answer.fault}`));
        else resolve(answer);
      };
      const exited = (code: number | null) => {
        this.#child.off('message', answered);
        reject(new Error(`the driver exited with ${code}`));
      };
      this.#child.once('message', answered);
      this.#child.once('exit', exited);
      this.#child.send(command);
    });
  }
}
