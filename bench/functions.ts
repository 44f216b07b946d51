import { parseArgs } from 'node:util';
import { KongSide } from './functions/kong-side.js';
import { type BenchServer, startServer } from './functions/server.js';
import { CALLS, type Calls, sourceWith } from './functions/sources.js';
import { placeProcesses } from './processor.js';
import { align } from './report/align.js';
import { median, medianRatio } from './statistics.js';

const USAGE = `Usage: npm run bench:functions -- [--rounds N] [--events N] [--instances N]

What a run of a function costs, with 0, 2 and 10 PDK calls, in js-pre-function and in a plain plugin that does the same:
processor time of the server per event. And what many instances cost in one process: memory and time.
`;

const CONNECTIONS = 16;
const WAYS = ['bench-plain', 'js-pre-function'] as const;
type Way = (typeof WAYS)[number];

function configOf(way: Way, calls: Calls, n = 0): object {
  // A comment makes each source a different one, so that each is compiled.
  return way === 'bench-plain' ? { calls, n } : { access: [`// ${n}\n${sourceWith(calls)}`] };
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

async function runs(cpu: string | undefined, rounds: number, events: number): Promise<string> {
  const server = await startServer(cpu);
  const lanes = Array.from({ length: CONNECTIONS }, () => new KongSide(server.socketPath));
  try {
    const [first] = lanes as [KongSide];
    const samples = new Map<string, number[]>();
    const variants = await Promise.all(
      CALLS.flatMap((calls) => WAYS.map((way) => ({ calls, way }))).map(async ({ calls, way }, n) => {
        const lane = lanes[n] ?? first;
        return { calls, way, instance: await lane.startInstance(way, configOf(way, calls)) };
      }),
    );
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const { calls, way, instance } of variants) {
        const cost = await measureRun(server, lanes, instance, calls, events);
        const key = `${way} ${calls}`;
        if (round > 0) samples.set(key, [...(samples.get(key) ?? []), cost]);
      }
    }
    const costs = (way: Way, calls: Calls) => samples.get(`${way} ${calls}`) ?? [];
    const rows = [['PDK calls of a run', 'plain, µs', 'function, µs', 'function / plain']];
    for (const calls of CALLS) {
      const plain = costs('bench-plain', calls);
      const inside = costs('js-pre-function', calls);
      rows.push([
        String(calls),
        median(plain).toFixed(1),
        median(inside).toFixed(1),
        medianRatio(inside, plain).toFixed(2),
      ]);
    }
    return align(rows);
  } finally {
    for (const lane of lanes) lane.close();
    await server.stop();
  }
}

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
    const startedAt = performance.now();
    for (let n = 0; n < count; n++) ids.push(await lane.startInstance(way, configOf(way, 2, n)));
    const startMs = (performance.now() - startedAt) / count;
    const started = server.residentBytes();
    const usedAt = performance.now();
    for (const id of ids) await lane.event(id);
    const firstEventMs = (performance.now() - usedAt) / count;
    const usedBytes = (server.residentBytes() - before) / count;
    return { startMs, firstEventMs, startedBytes: (started - before) / count, usedBytes };
  } finally {
    lane.close();
    await server.stop();
  }
}

async function instances(cpu: string | undefined, count: number): Promise<string> {
  const rows = [
    [`${count} instances, each`, 'start, ms', 'first event, ms', 'KB when started', 'KB when used'],
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
    help: { type: 'boolean' },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
} else {
  const { server } = placeProcesses();
  process.stdout.write(`${await runs(server, Number(values.rounds), Number(values.events))}\n\n`);
  process.stdout.write(`${await instances(server, Number(values.instances))}\n`);
}
