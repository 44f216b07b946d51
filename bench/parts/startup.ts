import { execFileSync } from 'node:child_process';
import type { DriverProcess } from '../driver-process.js';
import type { Plan } from '../plan.js';
import { pinned } from '../processor.js';
import { dumpCommand, startServer } from '../servers.js';

/** Whose first connection is timed. */
const CONNECTED = ['ours', 'two workers', 'stock', 'bare socket'] as const;

/** Milliseconds, one value per round. */
export interface StartupSamples {
  /** From the start of the process to the first connection that is taken. */
  firstConnection: Record<(typeof CONNECTED)[number], number[]>;
  dump: { ours: number[]; stock: number[] };
  firstEvent: { ours: number[]; stock: number[] };
}

/** Times `--dump` and the way from the start of the process to its first connection and its first event, in turns. */
export async function measureStartup(
  plan: Plan,
  driver: DriverProcess,
  cpu: string | undefined,
): Promise<StartupSamples> {
  const samples: StartupSamples = {
    firstConnection: { ours: [], 'two workers': [], stock: [], 'bare socket': [] },
    dump: { ours: [], stock: [] },
    firstEvent: { ours: [], stock: [] },
  };
  for (let round = 0; round < plan.startupRounds; round++) {
    for (const side of CONNECTED) samples.firstConnection[side].push(await timeFirstConnection(side, cpu));
    for (const side of ['ours', 'stock'] as const) {
      const contestant = side === 'ours' ? 'ours-protobuf' : 'stock';
      samples.dump[side].push(timeDump(pinned(cpu, dumpCommand(contestant))));
      const startedAt = performance.now();
      const server = await startServer(contestant, { cpu });
      try {
        await driver.begin({
          dialect: server.dialect,
          socket: server.socket('verified'),
          concurrency: 1,
          headerCount: 8,
          outcome: 'verified',
          instances: 1,
        });
        await driver.count(0, 1);
        samples.firstEvent[side].push(performance.now() - startedAt);
        await driver.end();
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}

async function timeFirstConnection(
  side: (typeof CONNECTED)[number],
  cpu: string | undefined,
): Promise<number> {
  const contestant = side === 'stock' ? side : side === 'bare socket' ? 'floor' : 'ours-protobuf';
  const flags = side === 'two workers' ? ['--workers', '2'] : [];
  const startedAt = performance.now();
  const server = await startServer(contestant, { cpu, flags });
  const milliseconds = performance.now() - startedAt;
  await server.stop();
  return milliseconds;
}

function timeDump(command: string[]): number {
  const startedAt = performance.now();
  const text = execFileSync(command[0] as string, command.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const milliseconds = performance.now() - startedAt;
  const dump: unknown = JSON.parse(text);
  const plugins = Array.isArray(dump) ? dump : (dump as { Plugins?: unknown[] }).Plugins;
  if (plugins?.length !== 1) throw new Error(`the dump holds ${plugins?.length} plugins instead of one`);
  return milliseconds;
}
