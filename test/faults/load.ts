import http from 'node:http';
import { full } from '../support/full.js';

/** What a client says it is; an upstream that sees a forged one has been reached by somebody it must not be. */
export type Kind = 'good' | 'forged';

/** The header that tells the upstream, and nobody else, what a request is. */
export const KIND_HEADER = 'x-kind';

export interface Target {
  readonly name: string;
  readonly port: number;
}

/** Headers of a request that is to be let through, or of one that is not. */
export type MakeHeaders = (kind: Kind, number: number) => Record<string, string>;

/** What a client got. */
export interface Answer {
  readonly target: string;
  readonly kind: Kind;
  readonly status: number;
  /** When the request was sent and answered, on the clock of `performance.now`. */
  readonly sentAt: number;
  readonly at: number;
}

/** Answers in a row that count as "it works again". */
const STEADY = full ? 30 : 10;
const PATIENCE_MS = 60_000;
/** Between two requests of a client: the processors are for the servers to start anew. */
const PAUSE_MS = 4;

/** Clients that go on sending good and forged requests in turn, whatever comes back. */
export class Load {
  answers: Answer[] = [];
  private readonly running: Promise<void>[] = [];
  private readonly agent = new http.Agent({ keepAlive: true });
  private readonly targets: readonly Target[];
  private readonly headers: MakeHeaders;
  private stopped = false;
  private sent = 0;

  /** @param clients for each target */
  constructor(targets: readonly Target[], headers: MakeHeaders, clients: number) {
    this.targets = targets;
    this.headers = headers;
    for (const target of targets) {
      for (let n = 0; n < clients; n++) this.running.push(this.client(target));
    }
  }

  /** Answers to good requests that were sent since then and are not 200. */
  wrong(since = 0, target?: string): Answer[] {
    return this.answers.filter(
      (a) =>
        a.kind === 'good' &&
        a.sentAt >= since &&
        a.status !== 200 &&
        (target === undefined || a.target === target),
    );
  }

  /** Answers to forged requests that let them through. */
  get letThrough(): Answer[] {
    return this.answers.filter(({ kind, status }) => kind === 'forged' && status < 400);
  }

  /** Waits for so many more answers to each kind from each target. */
  async progress(count: number): Promise<void> {
    const start = this.answers.length;
    await this.until(`${count} more answers from each target`, () => {
      const since = this.answers.slice(start);
      return this.targets.every(({ name }) =>
        (['good', 'forged'] as const).every(
          (kind) => since.filter((a) => a.target === name && a.kind === kind).length >= count,
        ),
      );
    });
  }

  /**
   * Waits until every target lets good requests through steadily.
   *
   * @returns milliseconds from `since` to the first of the good answers
   */
  async recovered(since: number): Promise<number> {
    let slowest = 0;
    for (const { name } of this.targets) {
      const lastOnes = () =>
        this.answers
          .filter((a) => a.target === name && a.kind === 'good' && a.sentAt >= since)
          .slice(-STEADY);
      await this.until(`${name} lets good requests through`, () => {
        const last = lastOnes();
        return last.length === STEADY && last.every(({ status }) => status === 200);
      });
      slowest = Math.max(slowest, (lastOnes()[0] as Answer).at - since);
    }
    return slowest;
  }

  /** Drops the answers so far, so that a long run does not fill the memory with them. */
  forget(): void {
    this.answers = [];
  }

  /** Lets every client finish the request it has under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
    this.agent.destroy();
  }

  /** Statuses by kind, for messages. */
  summary(since = 0): string {
    const counts: Record<string, number> = {};
    for (const { target, kind, status, sentAt } of this.answers) {
      if (sentAt < since) continue;
      const key = `${target} ${kind} ${status}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return JSON.stringify(counts);
  }

  private async client(target: Target): Promise<void> {
    while (!this.stopped) {
      for (const kind of ['good', 'forged'] as const) {
        const sentAt = performance.now();
        const status = await this.request(target.port, {
          ...this.headers(kind, this.sent++),
          [KIND_HEADER]: kind,
        });
        this.answers.push({ target: target.name, kind, status, sentAt, at: performance.now() });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  private request(port: number, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', path: '/', agent: this.agent, headers }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        })
        .on('error', reject);
    });
  }

  private async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (performance.now() > deadline) {
        throw new Error(`${what}: not within ${PATIENCE_MS} ms; ${this.summary()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
