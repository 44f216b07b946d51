import type { ConfigProblem, PluginConfig, ValidationContext } from 'kong-ts-pluginserver';
import { parseConfig } from './config.js';
import { ConfigurationError } from './errors.js';

/** What the schema accepts and an instance would refuse. */
export function validate(raw: PluginConfig, { workers = 1 }: ValidationContext): ConfigProblem[] {
  try {
    const { replayProtection, replayStore } = parseConfig(raw);
    if (!replayProtection || replayStore !== 'memory' || workers === 1) return [];
    const message = `must be redis where the plugin server runs ${workers} workers: each remembers its own signatures`;
    return [{ path: ['replay_store'], message }];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const { field, message } = error;
    return [{ path: field === undefined ? [] : [field], message }];
  }
}
