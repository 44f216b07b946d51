import type { Kong } from '../pdk/types.js';

export type Severity = 'err' | 'warn';

const INTERVAL_MS = 10_000;

/** Lets one message per subject and interval through and counts the ones it holds back. */
export class RateLimiter {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #subjects = new Map<string, { nextAt: number; heldBack: number }>();

  constructor(intervalMs = INTERVAL_MS, now: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /** Undefined: hold it back. A number: say it, and that so many like it were held back before. */
  admit(subject: string): number | undefined {
    const now = this.#now();
    const state = this.#subjects.get(subject);
    if (state && now < state.nextAt) {
      state.heldBack += 1;
      return undefined;
    }
    this.#subjects.set(subject, { nextAt: now + this.#intervalMs, heldBack: 0 });
    return state?.heldBack ?? 0;
  }
}

/**
 * What an operator should know, at most one line per subject in ten seconds: neither a flood of bad signatures nor an
 * outage may become a flood of log lines. Subjects are constants of the plugin; messages must not hold secrets.
 *
 * Kong shows a plugin server's own output at level info only. What happens outside an event is therefore written to
 * standard error at once and said again through `kong.log` in the next event.
 */
export class Reports {
  readonly #prefix: string;
  readonly #limiter: RateLimiter;
  readonly #waiting = new Map<string, { severity: Severity; line: string }>();

  /** @param plugin the plugin's name, which begins each line */
  constructor(plugin: string, limiter = new RateLimiter()) {
    this.#prefix = `[${plugin}] `;
    this.#limiter = limiter;
  }

  /** Says it through `kong.log`, which needs no answer from Kong. */
  async inEvent(kong: Kong, severity: Severity, subject: string, message: string): Promise<void> {
    const line = this.#line(subject, message);
    if (line !== undefined) await kong.log[severity](line);
  }

  /** Says it on standard error, and in the next event. */
  inBackground(severity: Severity, subject: string, message: string): void {
    const line = this.#line(subject, message);
    if (line === undefined) return;
    console.error(line);
    this.#waiting.set(subject, { severity, line });
  }

  /** Whether {@link flush} has anything to say. */
  get pending(): boolean {
    return this.#waiting.size > 0;
  }

  /** Says in this event what was said in the background since the last one. */
  async flush(kong: Kong): Promise<void> {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { severity, line } of waiting) await kong.log[severity](line);
  }

  #line(subject: string, message: string): string | undefined {
    const heldBack = this.#limiter.admit(subject);
    if (heldBack === undefined) return undefined;
    const more = heldBack > 0 ? ` (and ${heldBack} more like it since the last such line)` : '';
    return this.#prefix + message + more;
  }
}

const made = new Map<string, Reports>();

/**
 * The reports of a plugin in this process: all its instances share one limit.
 *
 * ```ts
 * import { reports } from 'kong-ts-pluginserver';
 *
 * const report = reports('my-auth');
 * await report.inEvent(kong, 'err', 'database', 'the database does not answer');
 * ```
 */
export function reports(plugin: string): Reports {
  let found = made.get(plugin);
  if (found === undefined) {
    found = new Reports(plugin);
    made.set(plugin, found);
  }
  return found;
}

/** Text from a client, made fit for a log line: printable ASCII, 64 characters at most, in quotes. */
export function quoted(text: string): string {
  const short = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  return `"${short.replace(/[^\x20-\x7e…]|["\\]/g, '?')}"`;
}
