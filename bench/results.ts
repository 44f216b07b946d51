import type { LoadSample, LoadSamples } from './parts/load.js';
import type { MemorySample } from './parts/memory.js';
import type { StartupSamples } from './parts/startup.js';
import type { SystemCalls } from './parts/system-calls.js';
import type { WorkersSample } from './parts/workers.js';
import type { Contestant } from './servers.js';
import { median } from './statistics.js';

/** Everything one run measured, as `results/latest.json` holds it. */
export interface Results {
  date: string;
  plan: string;
  machine: { cpu: string; cpus: number; node: string; platform: string; pinned: boolean };
  contestants: Contestant[];
  loads: LoadSamples;
  memory: Partial<Record<Contestant, MemorySample>>;
  /** Absent where they could not be counted. */
  systemCalls?: Partial<Record<Contestant, SystemCalls>>;
  startup?: StartupSamples;
  workers?: WorkersSample;
  targets: Target[];
}

/** One line of the table of targets. */
export interface Target {
  what: string;
  target: string;
  /** What was measured, in the target's own unit; absent when this run could not measure it. */
  measured?: number;
  met?: boolean;
  note?: string;
}

/** The values of one figure of a scenario, one per round. */
export function series(
  loads: LoadSamples,
  scenario: string,
  contestant: Contestant,
  figure: keyof LoadSample = 'cpuMicroseconds',
): number[] {
  return (loads[scenario]?.[contestant] ?? []).map((sample) => sample[figure]);
}

/** The middle of them; NaN when the server took no part. */
export function middle(
  loads: LoadSamples,
  scenario: string,
  contestant: Contestant,
  figure: keyof LoadSample = 'cpuMicroseconds',
): number {
  return median(series(loads, scenario, contestant, figure));
}
