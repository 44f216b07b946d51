import { type Results, series, type Target } from '../results.js';
import type { Contestant } from '../servers.js';
import { median, medianRatio } from '../statistics.js';

/** Ten megabytes of growth over the 900,000 rejections between the first look at memory and the last. */
const GROWTH_PER_REJECTION = 10e6 / 900_000;

/** Holds a run against the targets. Times never fail a run; the table says what was reached. */
export function judge(results: Omit<Results, 'targets'>): Target[] {
  return [
    ...[2000, 5000, 8000].map((rate) => paced(results, 'verified', rate, 0.55)),
    ...[2000, 5000].map((rate) => paced(results, 'rejected', rate, 1.4)),
    ratio(results, 'server CPU per verified request, saturated: ours / stock', 0.5, ['verified', 'stock']),
    memoryGrowth(results),
    startup(results),
    firstConnection(results),
    ratio(results, 'CPU per request: 40 headers / 8 headers', 2, ['verified', 'ours-protobuf'], 'headers-40'),
    ratio(
      results,
      'CPU per request: 256 / 16 connections',
      1.2,
      ['verified', 'ours-protobuf'],
      'connections-256',
    ),
    ratio(
      results,
      'CPU per request: 1,000 / 1 instances',
      1.2,
      ['verified', 'ours-protobuf'],
      'instances-1000',
    ),
    workers(results),
  ];
}

function paced(
  results: Omit<Results, 'targets'>,
  outcome: 'verified' | 'rejected',
  rate: number,
  most: number,
): Target {
  const scenario = `${outcome}-${rate}`;
  const what = `server CPU per ${outcome} request at ${rate.toLocaleString('en')}/s: ours / stock`;
  // Below the rate a server is saturated, and what it costs then is another question.
  const tooSlow = (['ours-protobuf', 'stock'] as const).filter((name) =>
    results.loads[scenario]?.[name]?.some(({ eventsPerSecond }) => eventsPerSecond < 0.95 * rate),
  );
  if (tooSlow.length > 0) {
    return {
      what,
      target: `≤ ${most}`,
      note: `not measured: the rate was not reached by ${tooSlow.join(', ')}`,
    };
  }
  return ratio(results, what, most, [scenario, 'stock'], scenario);
}

/** Ours over ProtoBuf in one scenario, over a server in another or the same one. */
function ratio(
  { loads }: Omit<Results, 'targets'>,
  what: string,
  most: number,
  [otherScenario, other]: [string, Contestant],
  scenario = 'verified',
): Target {
  const measured = medianRatio(series(loads, scenario, 'ours-protobuf'), series(loads, otherScenario, other));
  return atMost(what, most, measured);
}

function atMost(what: string, most: number, measured: number): Target {
  const target = `≤ ${most}`;
  return Number.isNaN(measured)
    ? { what, target, note: 'not measured' }
    : { what, target, measured, met: measured <= most };
}

function memoryGrowth({ memory }: Omit<Results, 'targets'>): Target {
  const what = 'memory growth per rejection, bytes';
  const target = `≤ ${GROWTH_PER_REJECTION.toFixed(1)}`;
  const ours = memory['ours-protobuf'];
  if (ours === undefined) return { what, target, note: 'not measured' };
  const [early, late] = ours.residentBytes;
  const [first, last] = ours.rejections;
  const measured = (late - early) / (last - first);
  const grown = `${((late - early) / 1e6).toFixed(1)} MB from ${first} to ${last} rejections`;
  // A heap that is still finding its size grows by some megabytes: only a long run tells that from a leak.
  if (last < 1_000_000) return { what, target, measured, note: `${grown}; --full decides` };
  return { what, target, measured, met: measured <= GROWTH_PER_REJECTION, note: grown };
}

function startup({ startup }: Omit<Results, 'targets'>): Target {
  const measured = startup === undefined ? Number.NaN : medianRatio(startup.dump.ours, startup.dump.stock);
  const target = atMost('time of --dump: ours / stock', 0.5, measured);
  if (startup === undefined) return target;
  const milliseconds = (values: number[]) => `${median(values).toFixed(0)} ms`;
  return { ...target, note: `${milliseconds(startup.dump.ours)} / ${milliseconds(startup.dump.stock)}` };
}

function firstConnection({ startup }: Omit<Results, 'targets'>): Target {
  const times = startup?.firstConnection;
  const measured = times === undefined ? Number.NaN : medianRatio(times.ours, times['bare socket']);
  return atMost('time to the first connection: ours / bare socket', 4, measured);
}

function workers({ workers }: Omit<Results, 'targets'>): Target {
  const what = 'two workers: largest share of events';
  const target = '≤ 0.6';
  if (workers === undefined) return { what, target, note: 'not measured' };
  const measured = workers.shares[0] ?? 1;
  return { what, target, measured, met: workers.shares.length === 2 && measured <= 0.6 };
}
