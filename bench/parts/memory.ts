import type { DriverProcess } from '../driver-process.js';
import type { Plan } from '../plan.js';
import { type Contestant, startServer } from '../servers.js';

export interface MemorySample {
  /** Rejections at which memory was looked at. */
  rejections: readonly [number, number];
  /** Resident bytes of the server at each. */
  residentBytes: [number, number];
}

/** Rejects many requests on a fresh server and looks at its memory after the first of them and after the last. */
export async function measureMemory(
  plan: Plan,
  contestants: readonly Contestant[],
  driver: DriverProcess,
  cpu: string | undefined,
  say: (line: string) => void,
): Promise<Partial<Record<Contestant, MemorySample>>> {
  const samples: Partial<Record<Contestant, MemorySample>> = {};
  const [first, last] = plan.rejections;
  for (const contestant of contestants) {
    const server = await startServer(contestant, { cpu });
    try {
      await driver.begin({
        dialect: server.dialect,
        socket: server.socket('rejected'),
        concurrency: 16,
        headerCount: 8,
        outcome: 'rejected',
        instances: server.instances(1),
      });
      await driver.count(0, first);
      const early = server.residentBytes();
      const result = await driver.count(0, last - first);
      const late = server.residentBytes();
      await driver.end();
      if (result.firstError !== undefined) throw new Error(`${contestant}, memory: ${result.firstError}`);
      samples[contestant] = { rejections: plan.rejections, residentBytes: [early, late] };
      const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
      say(
        `memory, ${contestant}: ${megabytes(early)} MB after ${first}, ${megabytes(late)} MB after ${last}`,
      );
    } finally {
      await server.stop();
    }
  }
  return samples;
}
