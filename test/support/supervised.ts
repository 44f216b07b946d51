import { CliProcess, type SpawnOptions } from './cli.js';

/** Kong starts an exited server again at once, or a second after the last start. */
const RESTART_INTERVAL_MS = 1000;

export type SupervisedOptions = Pick<SpawnOptions, 'env' | 'node' | 'files'>;

/** A plugin server that is started again whenever it ends, as Kong does it. */
export class Supervised {
  /** How many times it was started. */
  starts = 0;
  private readonly args: readonly string[];
  private readonly options: SupervisedOptions;
  private readonly servers: CliProcess[] = [];
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly onExit = () => this.server.child.kill('SIGKILL');

  /** @param args of the command line */
  constructor(args: readonly string[], options: SupervisedOptions = {}) {
    this.args = args;
    this.options = { ...options, env: { PATH: process.env.PATH, ...options.env } };
    this.launch();
    process.once('exit', this.onExit);
  }

  get pid(): number {
    return this.server.pid;
  }

  /** What all of them have written. */
  get output(): string {
    return this.servers.map(({ log }) => log).join('');
  }

  /** Waits until this many servers have said that they serve. */
  async serving(times = 1): Promise<void> {
    while ((this.output.match(/server started at path/g) ?? []).length < times) {
      if (this.stopped) throw new Error(`stopped without serving:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The ids of its worker processes. */
  workers(): number[] {
    return this.server.workers();
  }

  /**
   * What `kong reload` does: starts another server on the same path, and ends the old one at some moment, be the new one
   * ready or not, giving it 20 ms to stop. Resolves when the new one serves and the old one has ended.
   *
   * @param afterMs when the old one is told to stop, from the start of the new one
   */
  async reload(afterMs: number): Promise<void> {
    const old = this.server;
    this.launch();
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    old.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await old.stop('SIGKILL');
    await this.serving(this.starts);
  }

  /** Ends it and everything that it has left behind. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    process.off('exit', this.onExit);
    await this.server.kill();
  }

  private get server(): CliProcess {
    return this.servers.at(-1) as CliProcess;
  }

  private launch(): void {
    this.startedAt = Date.now();
    this.starts++;
    const server = new CliProcess(this.args, this.options);
    this.servers.push(server);
    void server.finished.then(() => {
      if (this.stopped || this.server !== server) return;
      const wait = Math.max(0, this.startedAt + RESTART_INTERVAL_MS - Date.now());
      this.timer = setTimeout(() => {
        if (!this.stopped) this.launch();
      }, wait);
    });
  }
}
