/** One load: paced at a rate, or one thing varied against the base of 16 connections, 8 headers and 1 instance. */
export interface Scenario {
  name: string;
  title: string;
  outcome: 'verified' | 'rejected';
  /** Events per second; without it the server is kept saturated. */
  rate?: number;
  concurrency: number;
  headerCount: number;
  instances: number;
}

/** How much of everything a run does. Times are in milliseconds. */
export interface Plan {
  name: 'smoke' | 'default' | 'full';
  rounds: number;
  warmUp: number;
  /** Of a saturated scenario. */
  measure: number;
  /** Of a paced one, in which less happens in the same time. */
  measurePaced: number;
  /** A sample goes on until it has as many events, however slow the machine is. */
  leastEvents: number;
  scenarios: Scenario[];
  /** Rejections after which memory is looked at, first and last. */
  rejections: readonly [number, number];
  startupRounds: number;
  workersMeasure: number;
  /** Of a load whose system calls are counted, which slows the server down a great deal. */
  systemCallsMeasure: number;
}

const BASE = { concurrency: 16, headerCount: 8, instances: 1 };

const VERIFIED_RATES = [2000, 5000, 8000];
const REJECTED_RATES = [2000, 5000];

function paced(outcome: Scenario['outcome'], rate: number): Scenario {
  const title = `${outcome}, ${rate.toLocaleString('en')}/s`;
  return { name: `${outcome}-${rate}`, title, outcome, rate, ...BASE };
}

const SCENARIOS: Scenario[] = [
  ...VERIFIED_RATES.map((rate) => paced('verified', rate)),
  ...REJECTED_RATES.map((rate) => paced('rejected', rate)),
  { name: 'verified', title: 'verified, saturated', outcome: 'verified', ...BASE },
  { name: 'rejected', title: 'rejected, saturated', outcome: 'rejected', ...BASE },
  { name: 'headers-40', title: '40 headers', outcome: 'verified', ...BASE, headerCount: 40 },
  { name: 'connections-256', title: '256 connections', outcome: 'verified', ...BASE, concurrency: 256 },
  { name: 'instances-1000', title: '1,000 instances', outcome: 'verified', ...BASE, instances: 1000 },
];

export const PLANS: Record<Plan['name'], Plan> = {
  smoke: {
    name: 'smoke',
    rounds: 1,
    warmUp: 50,
    measure: 100,
    measurePaced: 100,
    leastEvents: 50,
    scenarios: SCENARIOS,
    rejections: [200, 400],
    startupRounds: 1,
    workersMeasure: 200,
    systemCallsMeasure: 200,
  },
  default: {
    name: 'default',
    rounds: 5,
    warmUp: 100,
    measure: 250,
    measurePaced: 700,
    leastEvents: 1000,
    scenarios: SCENARIOS,
    rejections: [20_000, 80_000],
    startupRounds: 5,
    workersMeasure: 1500,
    systemCallsMeasure: 2000,
  },
  full: {
    name: 'full',
    rounds: 25,
    warmUp: 200,
    measure: 500,
    measurePaced: 1500,
    leastEvents: 2000,
    scenarios: SCENARIOS,
    rejections: [100_000, 1_000_000],
    startupRounds: 15,
    workersMeasure: 5000,
    systemCallsMeasure: 5000,
  },
};
