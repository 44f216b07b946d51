import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DriverProcess } from './driver-process.js';
import { measureLoads } from './parts/load.js';
import { measureMemory } from './parts/memory.js';
import { measureStartup } from './parts/startup.js';
import { countSystemCalls } from './parts/system-calls.js';
import { measureWorkers } from './parts/workers.js';
import { PLANS, type Plan } from './plan.js';
import { placeProcesses } from './processor.js';
import { renderChart } from './report/chart.js';
import { renderTables } from './report/table.js';
import { judge } from './report/targets.js';
import type { Results } from './results.js';
import { CONTESTANTS, type Contestant, OURS, type RunningServer, startServer } from './servers.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

const USAGE = `Usage: npm run bench -- [flags]

  --smoke            check that everything runs, in seconds; judges and writes nothing
  --full             25 rounds and 1,000,000 rejections per server, about half an hour
  --rejections N     look at memory after N/10 and after N rejections
  --only A,B         these servers only: ${CONTESTANTS.join(', ')}
  --scenario A,B     these scenarios only: ${PLANS.default.scenarios.map(({ name }) => name).join(', ')}
  --parts A,B        these parts only: load, calls, memory, startup, workers
  --rounds N         how often each scenario is measured on each server
  --events N         at least so many events per sample
  --profile FOLDER   write CPU profiles of our servers there (node --cpu-prof) when they stop
  --no-build         take dist as it is, even when a source file is newer
`;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      smoke: { type: 'boolean' },
      full: { type: 'boolean' },
      rejections: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      parts: { type: 'string' },
      events: { type: 'string' },
      rounds: { type: 'string' },
      profile: { type: 'string' },
      'no-build': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (process.platform !== 'linux') {
    say('the benchmark reads CPU and memory of processes from /proc, which only Linux has');
    return 1;
  }
  const chosen: Plan = PLANS[values.smoke ? 'smoke' : values.full ? 'full' : 'default'];
  const scenarios = values.scenario?.split(',');
  const rejections = Number(values.rejections ?? chosen.rejections[1]);
  const plan: Plan = {
    ...chosen,
    scenarios: chosen.scenarios.filter(({ name }) => scenarios?.includes(name) ?? true),
    rounds: Number(values.rounds ?? chosen.rounds),
    leastEvents: Number(values.events ?? chosen.leastEvents),
    rejections: values.rejections === undefined ? chosen.rejections : [rejections / 10, rejections],
  };
  const contestants = CONTESTANTS.filter((name) => values.only?.split(',').includes(name) ?? true);
  const parts = values.parts?.split(',');
  const wanted = (part: string) => parts?.includes(part) ?? true;
  const oursRuns =
    contestants.some((name) => name.startsWith('ours')) || wanted('startup') || wanted('workers');
  if (oursRuns && !values['no-build']) buildIfStale();
  const results = await run(plan, contestants, wanted, values.profile);
  process.stdout.write(`${renderTables(results)}\n`);
  if (plan.name !== 'smoke') {
    const folder = join(here, 'results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(join(folder, 'latest.svg'), renderChart(results));
  }
  return 0;
}

async function run(
  plan: Plan,
  contestants: Contestant[],
  wanted: (part: string) => boolean,
  profile: string | undefined,
): Promise<Results> {
  const placement = placeProcesses();
  const driver = new DriverProcess(placement.driver);
  const servers: RunningServer[] = [];
  const results: Omit<Results, 'targets'> = {
    date: new Date().toISOString(),
    plan: plan.name,
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown CPU',
      cpus: availableParallelism(),
      node: process.versions.node,
      platform: process.platform,
      pinned: placement.server !== undefined,
    },
    contestants,
    loads: {},
    memory: {},
  };
  try {
    if (wanted('startup')) {
      say('start times');
      results.startup = await measureStartup(plan, driver, placement.server);
    }
    if (wanted('load')) {
      say('loads');
      for (const contestant of contestants) {
        servers.push(await startServer(contestant, { cpu: placement.server, profile }));
      }
      results.loads = await measureLoads(plan, servers, driver, say);
    }
    if (wanted('calls')) {
      say('system calls');
      const counts = await countSystemCalls(plan, contestants, driver, say);
      if (counts !== undefined) results.systemCalls = counts;
    }
    if (wanted('memory')) {
      say('memory');
      results.memory = await measureMemory(plan, contestants, driver, placement.server, say);
    }
    if (wanted('workers')) {
      say('workers');
      results.workers = await measureWorkers(plan, driver);
    }
  } finally {
    driver.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
  return { ...results, targets: judge(results) };
}

/** The servers under test run compiled, as they are installed. */
function buildIfStale(): void {
  if (existsSync(OURS) && newest(join(root, 'src')) <= statSync(OURS).mtimeMs) return;
  say('building');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();
