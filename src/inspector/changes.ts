import type { ExchangeRecord, PluginRun, RecordedHeaders, RecordedValue } from './record.js';

/** One line of the comparison of two heads. */
export interface HeaderChange {
  readonly name: string;
  readonly kind: 'same' | 'added' | 'removed' | 'changed';
  /** Where the line stands in the head before and after. */
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** The plugin that changed it, or `gateway`; undefined where it is the same. */
  readonly by: string | undefined;
}

type Side = 'request' | 'response';

const WRITES: Record<Side, RegExp> = {
  request: /^kong\.service\.(?:request\.)?(?:set|add|clear)_headers?$/,
  response: /^kong\.response\.(?:(?:set|add|clear)_headers?|exit)$/,
};

/**
 * What became of the header lines between what came in and what went out, and who changed them. First those that came
 * in, in their order, then those that were added, by plugins before those of the gateway.
 */
export function headerChanges(
  before: RecordedHeaders,
  after: RecordedHeaders,
  runs: readonly PluginRun[],
  side: Side,
): HeaderChange[] {
  const writers = headerWriters(runs, side);
  const left = new Map<string, number[]>();
  for (const [index, [name]] of after.entries()) {
    const key = name.toLowerCase();
    left.set(key, [...(left.get(key) ?? []), index]);
  }
  const changes = before.map(([name, value], index): HeaderChange => {
    const key = name.toLowerCase();
    const to = left.get(key)?.shift();
    if (to !== undefined && after[to]?.[1] === value)
      return { name, kind: 'same', before: index, after: to, by: undefined };
    const by = writers.get(key) ?? 'gateway';
    return { name, kind: to === undefined ? 'removed' : 'changed', before: index, after: to, by };
  });
  const added = [...left.values()].flat().sort((a, b) => a - b);
  const rows = added.map((index): HeaderChange => {
    const name = after[index]?.[0] ?? '';
    const by = writers.get(name.toLowerCase()) ?? 'gateway';
    return { name, kind: 'added', before: undefined, after: index, by };
  });
  const isOurs = ({ by }: HeaderChange) => by === 'gateway';
  return [...changes, ...rows.filter((row) => !isOurs(row)), ...rows.filter(isOurs)];
}

/** The plugin that last wrote each header, by its name in lower case. */
export function headerWriters(runs: readonly PluginRun[], side: Side): Map<string, string> {
  const writers = new Map<string, string>();
  for (const { plugin, calls } of runs) {
    for (const { method, args, error } of calls) {
      if (error !== undefined || !WRITES[side].test(method)) continue;
      const named: RecordedValue = method.endsWith('.exit') ? args[2] : args[0];
      const names =
        typeof named === 'string' ? [named] : typeof named === 'object' ? Object.keys(named ?? {}) : [];
      for (const name of names) writers.set(name.toLowerCase().replaceAll('_', '-'), plugin);
    }
  }
  return writers;
}

/** Why a request did not go its way. */
export interface Verdict {
  readonly plugin: string;
  readonly phase: string;
  readonly outcome: PluginRun['outcome'];
  readonly status: number | undefined;
  /** The message of the error, or of the response it ended with. */
  readonly reason: string;
}

/** The event that ended a request, if one did; else one that failed. */
export function verdictOf(record: ExchangeRecord): Verdict | undefined {
  const ending = record.runs.find(({ outcome }) =>
    ['exited', 'threw', 'deadline', 'failed'].includes(outcome),
  );
  if (ending === undefined) return undefined;
  const { plugin, phase, outcome, error } = ending;
  const exit = ending.calls.findLast(
    ({ method }) => method === 'kong.response.exit' || method === 'kong.response.error',
  );
  return {
    plugin,
    phase,
    outcome,
    status: record.response?.status,
    reason: error?.message ?? messageIn(exit?.args[1]) ?? messageIn(record.response?.body.content) ?? '',
  };
}

function messageIn(value: RecordedValue): string | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString() : undefined;
  try {
    const parsed: unknown = text === undefined ? value : JSON.parse(text);
    const { message, error } = (parsed ?? {}) as { message?: unknown; error?: unknown };
    const said = message ?? error;
    return typeof said === 'string' ? said : undefined;
  } catch {
    // No JSON: short texts say it themselves.
    return text !== undefined && text.length <= 200 ? text : undefined;
  }
}
