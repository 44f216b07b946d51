import { checkLuaSource } from '../lua/check-source.js';
import type { ConfigFault, ValidatedPluginConfig } from './validated-config.js';

/** Kong's serverless functions and their priorities. */
export const FUNCTION_PLUGINS: ReadonlyMap<string, number> = new Map([
  ['pre-function', 1_000_000],
  ['post-function', -1000],
]);

/** The phases whose functions this gateway runs. */
export const FUNCTION_PHASES = ['rewrite', 'access', 'header_filter', 'body_filter', 'log'] as const;

/**
 * The config of `pre-function` and `post-function`: per phase a list of Lua chunks, each of them parsed. What they use
 * and the gateway does not have is noted.
 */
export function validateFunctionConfig(value: unknown): ValidatedPluginConfig {
  const config: Record<string, unknown> = Object.fromEntries(FUNCTION_PHASES.map((phase) => [phase, []]));
  const faults: ConfigFault[] = [];
  const notes: ConfigFault[] = [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { config, faults: [{ path: [], message: 'expected a record' }] };
  }
  let chunks = 0;
  for (const [key, list] of Object.entries(value)) {
    if (key !== 'certificate' && !FUNCTION_PHASES.some((phase) => phase === key)) {
      faults.push({ path: [key], message: 'unknown field' });
    } else if (!Array.isArray(list)) {
      const message = list === null ? 'required field missing' : 'expected an array';
      faults.push({ path: [key], message });
    } else {
      config[key] = list;
      chunks += list.length;
      for (const [index, chunk] of list.entries()) checkChunk([key, index], chunk, faults, notes);
      if (key === 'certificate' && list.length > 0) {
        notes.push({ path: [key], message: 'never runs in the local gateway, which has no TLS' });
      }
    }
  }
  if (chunks === 0 && faults.length === 0) {
    faults.push({ path: [], message: 'at least one of the phases needs a function' });
  }
  return { config, faults, notes };
}

function checkChunk(
  path: readonly (string | number)[],
  chunk: unknown,
  faults: ConfigFault[],
  notes: ConfigFault[],
): void {
  if (typeof chunk !== 'string') faults.push({ path, message: 'expected a string' });
  else if (chunk === '') faults.push({ path, message: 'length must be at least 1' });
  else {
    const { fault, missing } = checkLuaSource(chunk);
    if (fault !== undefined) faults.push({ path, message: fault.message, position: fault });
    for (const finding of missing) notes.push({ path, message: finding.message, position: finding });
  }
}
