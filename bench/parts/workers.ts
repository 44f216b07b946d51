import type { DriverProcess } from '../driver-process.js';
import type { Plan } from '../plan.js';
import { startServer } from '../servers.js';

export interface WorkersSample {
  /** Share of the events that each worker process took, 0 to 1, largest first. */
  shares: number[];
  eventsPerSecond: number;
}

/** Asks a server of two workers, on whatever CPUs there are, which of them takes each event. */
export async function measureWorkers(plan: Plan, driver: DriverProcess): Promise<WorkersSample> {
  const server = await startServer('ours-protobuf', { flags: ['--workers', '2'] });
  try {
    await driver.begin({
      dialect: 'protobuf',
      socket: server.socket('worker'),
      concurrency: 64,
      headerCount: 8,
      outcome: 'worker',
      instances: 1,
    });
    const result = await driver.count(plan.workersMeasure, 500);
    await driver.end();
    if (result.firstError !== undefined) throw new Error(`two workers: ${result.firstError}`);
    const counts = Object.values(result.byWorker);
    const total = counts.reduce((sum, count) => sum + count, 0);
    return {
      shares: counts.map((count) => count / total).sort((a, b) => b - a),
      eventsPerSecond: result.events / result.seconds,
    };
  } finally {
    await server.stop();
  }
}
