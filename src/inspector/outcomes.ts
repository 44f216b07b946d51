import type { PluginRun, RunOutcome } from './record.js';

/** What tells more stands for the plugin. */
const WEIGHT: Readonly<Record<RunOutcome, number>> = {
  passed: 0,
  running: 1,
  changed: 2,
  retried: 3,
  exited: 4,
  skipped: 5,
  deadline: 6,
  threw: 7,
  failed: 8,
};

/** Plugins in the order in which they first ran, each with the most telling of its runs. */
export function tellingRuns(runs: readonly PluginRun[]): PluginRun[] {
  const byPlugin = new Map<string, PluginRun>();
  for (const run of runs) {
    const known = byPlugin.get(run.plugin);
    if (known === undefined || WEIGHT[run.outcome] > WEIGHT[known.outcome]) byPlugin.set(run.plugin, run);
  }
  return [...byPlugin.values()];
}

/** Whether an event ended the request, or was about to. */
export function endedRequest(outcome: RunOutcome): boolean {
  return WEIGHT[outcome] >= WEIGHT.exited;
}

/** Whether it went wrong. */
export function isFailure(outcome: RunOutcome): boolean {
  return WEIGHT[outcome] >= WEIGHT.skipped;
}
