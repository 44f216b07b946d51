import { maskedTarget } from './masking.js';
import { tellingRuns } from './outcomes.js';
import type { ExchangeRecord, RunOutcome } from './record.js';

/** An exchange as the list shows it. Nothing secret is in it. */
export interface ExchangeSummary {
  readonly id: string;
  readonly startedAt: number;
  readonly state: ExchangeRecord['state'];
  readonly method: string;
  readonly target: string;
  readonly status: number | undefined;
  /** Until the client had its response. */
  readonly ms: number | undefined;
  readonly route: string | undefined;
  /** Each with the most telling outcome of its events. */
  readonly plugins: readonly { readonly name: string; readonly outcome: RunOutcome }[];
}

export function summaryOf(record: ExchangeRecord): ExchangeSummary {
  const { id, startedAt, state, request, response, answeredAt, route, runs } = record;
  return {
    id,
    startedAt,
    state,
    method: request.method,
    target: maskedTarget(request.target),
    status: response?.status,
    ms: answeredAt,
    route: route === undefined ? undefined : (route.name ?? route.id),
    plugins: tellingRuns(runs).map(({ plugin, outcome }) => ({ name: plugin, outcome })),
  };
}
