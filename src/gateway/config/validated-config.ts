import type { ConfigProblem } from '../../plugin/validate.js';

/** A fault in a plugin's `config`. */
export type ConfigFault = ConfigProblem;

/** What a plugin says of its `config`. */
export interface ValidatedPluginConfig {
  /** With defaults filled in. */
  readonly config: Record<string, unknown>;
  readonly faults: readonly ConfigFault[];
  /** What Kong takes and the local gateway does not emulate. */
  readonly notes?: readonly ConfigFault[];
}
