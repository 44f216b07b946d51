import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KongSide } from './functions/kong-side.js';
import { type BenchServer, startServer } from './functions/server.js';
import { CALLS, type Calls, sourceWith } from './functions/sources.js';
import { placeProcesses } from './processor.js';
import { align } from './report/align.js';
import { median, medianRatio } from './statistics.js';

const USAGE = `Usage: npm run bench:functions -- [--rounds N] [--events N] [--instances N] [--before FOLDER]

What a run of a function costs, with 0, 2 and 10 PDK calls, in js-pre-function and in a plain plugin that does the same:
processor time of the server per event. With --before, a checkout of an earlier state in the same rounds. And what many
instances cost in one process: memory and processor time.
`;

const CONNECTIONS = 16;
const WAYS = ['bench-plain', 'js-pre-function'] as const;
type Way = (typeof WAYS)[number];

function configOf(way: Way, calls: Calls, n = 0): object {
  // A comment makes each source a different one, so that each is compiled.
  if (way === 'bench-plain') return { calls, n };
  // What a busy machine does is not to stop the run.
  return { access: [`// ${n}\n${sourceWith(calls)}`], max_cpu_ms: 100, max_wall_ms: 10_000 };
}

/** Processor time per event in microseconds. */
async function measureRun(
  server: BenchServer,
  lanes: readonly KongSide[],
  instance: number,
  calls: Calls,
  events: number,
): Promise<number> {
  let left = events;
  const before = server.cpuMicroseconds();
  await Promise.all(
    lanes.map(async (lane) => {
      while (left-- > 0) {
        const made = await lane.event(instance);
        if (made !== calls) throw new Error(`${made} PDK calls instead of ${calls}`);
      }
    }),
  );
  return (server.cpuMicroseconds() - before) / events;
}

/** A server, the connections to it, and its instances by what they measure. */
interface Measured {
  readonly server: BenchServer;
  readonly lanes: readonly KongSide[];
  readonly variants: readonly { readonly calls: Calls; readonly way: Way; readonly instance: number }[];
  /** Microseconds per event of each round, by way and number of calls. */
  readonly samples: Map<string, number[]>;
}

async function measured(cpu: string | undefined, tree: string | undefined): Promise<Measured> {
  const server = await startServer(cpu, tree);
  const lanes = Array.from({ length: CONNECTIONS }, () => new KongSide(server.socketPath));
  const [first] = lanes as [KongSide];
  const variants: { calls: Calls; way: Way; instance: number }[] = [];
  for (const calls of CALLS) {
    for (const way of WAYS) {
      variants.push({ calls, way, instance: await first.startInstance(way, configOf(way, calls)) });
    }
  }
  return { server, lanes, variants, samples: new Map() };
}

/** @param before a checkout of an earlier state, whose functions are measured in the same rounds */
async function runs(
  cpu: string | undefined,
  rounds: number,
  events: number,
  before: string | undefined,
): Promise<string> {
  const sides = [await measured(cpu, undefined)];
  try {
    if (before !== undefined) sides.push(await measured(cpu, resolve(before)));
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const { server, lanes, variants, samples } of sides) {
        for (const { calls, way, instance } of variants) {
          const cost = await measureRun(server, lanes, instance, calls, events);
          const key = `${way} ${calls}`;
          if (round > 0) samples.set(key, [...(samples.get(key) ?? []), cost]);
        }
      }
    }
    const [now, then] = sides as [Measured, Measured | undefined];
    const costs = (side: Measured, way: Way, calls: Calls) => side.samples.get(`${way} ${calls}`) ?? [];
    const head = ['PDK calls of a run', 'plain, µs', 'function, µs', 'range', 'function / plain'];
    const rows = [
      then === undefined
        ? head
        : [...head, 'plain before, µs', 'function before, µs', 'range', 'function / before'],
    ];
    for (const calls of CALLS) {
      const plain = costs(now, 'bench-plain', calls);
      const inside = costs(now, 'js-pre-function', calls);
      const row = [String(calls), microseconds(plain), microseconds(inside), range(inside)];
      row.push(medianRatio(inside, plain).toFixed(2));
      if (then !== undefined) {
        const earlier = costs(then, 'js-pre-function', calls);
        row.push(microseconds(costs(then, 'bench-plain', calls)), microseconds(earlier), range(earlier));
        row.push(medianRatio(inside, earlier).toFixed(2));
      }
      rows.push(row);
    }
    return align(rows);
  } finally {
    for (const { server, lanes } of sides) {
      for (const lane of lanes) lane.close();
      await server.stop();
    }
  }
}

const microseconds = (values: number[]) => median(values).toFixed(1);
const range = (values: number[]) => `${Math.min(...values).toFixed(0)}-${Math.max(...values).toFixed(0)}`;

/** For each of them; processor time. */
interface InstancesCost {
  readonly startMs: number;
  readonly firstEventMs: number;
  readonly startedBytes: number;
  readonly usedBytes: number;
}

/** Starts instances with two PDK calls each and runs one event in each; memory is what came on top of one instance. */
async function manyInstances(cpu: string | undefined, way: Way, count: number): Promise<InstancesCost> {
  const server = await startServer(cpu);
  const lane = new KongSide(server.socketPath);
  try {
    await lane.event(await lane.startInstance(way, configOf(way, 2, -1)));
    const before = server.residentBytes();
    const ids: number[] = [];
    let cpuBefore = server.cpuMicroseconds();
    const each = () => {
      const milliseconds = (server.cpuMicroseconds() - cpuBefore) / 1000 / count;
      cpuBefore = server.cpuMicroseconds();
      return milliseconds;
    };
    for (let n = 0; n < count; n++) ids.push(await lane.startInstance(way, configOf(way, 2, n)));
    const startMs = each();
    const started = server.residentBytes();
    for (const id of ids) await lane.event(id);
    const firstEventMs = each();
    const usedBytes = (server.residentBytes() - before) / count;
    return { startMs, firstEventMs, startedBytes: (started - before) / count, usedBytes };
  } finally {
    lane.close();
    await server.stop();
  }
}

async function instances(cpu: string | undefined, count: number): Promise<string> {
  const rows = [
    [
      `${count} instances, each`,
      'start, ms of CPU',
      'first event, ms of CPU',
      'KB when started',
      'KB when used',
    ],
  ];
  for (const way of WAYS) {
    const cost = await manyInstances(cpu, way, count);
    rows.push([
      way === 'bench-plain' ? 'plain' : 'function',
      cost.startMs.toFixed(2),
      cost.firstEventMs.toFixed(2),
      (cost.startedBytes / 1024).toFixed(0),
      (cost.usedBytes / 1024).toFixed(0),
    ]);
  }
  return align(rows);
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    events: { type: 'string', default: '4000' },
    instances: { type: 'string', default: '1000' },
    before: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
} else {
  const { server } = placeProcesses();
  process.stdout.write(
    `${await runs(server, Number(values.rounds), Number(values.events), values.before)}\n\n`,
  );
  process.stdout.write(`${await instances(server, Number(values.instances))}\n`);
}
