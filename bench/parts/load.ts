import type { DriverProcess } from '../driver-process.js';
import type { Plan, Scenario } from '../plan.js';
import { usedBetween } from '../processor.js';
import type { Contestant, RunningServer } from '../servers.js';

/** One round of one scenario on one server. */
export interface LoadSample {
  /** Server CPU per event, in microseconds, by the operating system's account. */
  cpuMicroseconds: number;
  /** The parts of it outside and inside of the kernel. */
  userMicroseconds: number;
  systemMicroseconds: number;
  /** How often the server's event loop was woken, per event. */
  wakeUps: number;
  eventsPerSecond: number;
  p50Milliseconds: number;
  p99Milliseconds: number;
  p999Milliseconds: number;
  /** The load generator's own: 99 of 100 events were begun no later than that after they were due. */
  lateMilliseconds: number;
  errors: number;
}

/** How many samples' worth of events come before the first one that counts. */
const WARM_UP_SAMPLES = 10;

export type LoadSamples = Record<string, Partial<Record<Contestant, LoadSample[]>>>;

/**
 * Runs every scenario on every server, in rounds: each round has all scenarios, and in each scenario the servers come
 * one after the other, so that what is compared ran close together in time.
 */
export async function measureLoads(
  plan: Plan,
  servers: RunningServer[],
  driver: DriverProcess,
  say: (line: string) => void,
): Promise<LoadSamples> {
  const samples: LoadSamples = {};
  const warmUp: Plan = { ...plan, leastEvents: WARM_UP_SAMPLES * plan.leastEvents };
  // Both paths of each server are compiled before anything counts, or the first scenario would pay for it.
  const warming = plan.scenarios.filter(({ rate }) => rate === undefined).slice(0, 2);
  for (const server of servers) {
    for (const scenario of warming.length > 0 ? warming : plan.scenarios)
      await run(server, scenario, driver, warmUp);
  }
  for (let round = 1; round <= plan.rounds; round++) {
    for (const scenario of plan.scenarios) {
      samples[scenario.name] ??= {};
      const byServer = samples[scenario.name] as Partial<Record<Contestant, LoadSample[]>>;
      for (const server of servers) {
        const sample = await run(server, scenario, driver, plan);
        byServer[server.contestant] ??= [];
        byServer[server.contestant]?.push(sample);
      }
    }
    say(`round ${round} of ${plan.rounds} done`);
  }
  return samples;
}

async function run(
  server: RunningServer,
  scenario: Scenario,
  driver: DriverProcess,
  plan: Plan,
): Promise<LoadSample> {
  await driver.begin({
    dialect: server.dialect,
    socket: server.socket(scenario.outcome),
    concurrency: scenario.concurrency,
    rate: scenario.rate,
    headerCount: scenario.headerCount,
    outcome: scenario.outcome,
    instances: server.instances(scenario.instances),
  });
  try {
    await driver.count(plan.warmUp, plan.leastEvents);
    const before = server.usage();
    const measure = scenario.rate === undefined ? plan.measure : plan.measurePaced;
    const result = await driver.count(measure, plan.leastEvents);
    const used = usedBetween(before, server.usage());
    if (result.firstError !== undefined) {
      throw new Error(
        `${server.contestant}, ${scenario.title}: ${result.errors} errors, first ${result.firstError}`,
      );
    }
    // The scheduler's sum is exact and the two parts are sampled.
    const sampled = used.user + used.system || 1;
    return {
      cpuMicroseconds: used.cpu / result.events,
      userMicroseconds: ((used.user / sampled) * used.cpu) / result.events,
      systemMicroseconds: ((used.system / sampled) * used.cpu) / result.events,
      wakeUps: used.wakeUps / result.events,
      eventsPerSecond: result.events / result.seconds,
      p50Milliseconds: result.p50,
      p99Milliseconds: result.p99,
      p999Milliseconds: result.p999,
      lateMilliseconds: result.late,
      errors: result.errors,
    };
  } finally {
    await driver.end();
  }
}
