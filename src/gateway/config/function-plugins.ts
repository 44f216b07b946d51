import type { ConfigFault } from './catalog.js';

/** Kong's serverless functions and their priorities. */
export const FUNCTION_PLUGINS: ReadonlyMap<string, number> = new Map([
  ['pre-function', 1_000_000],
  ['post-function', -1000],
]);

/** The phases whose functions this gateway runs. */
export const FUNCTION_PHASES = ['rewrite', 'access', 'log'] as const;

const OTHER_PHASES = [
  'certificate',
  'header_filter',
  'body_filter',
  'ws_handshake',
  'ws_client_frame',
  'ws_upstream_frame',
  'ws_close',
];

/** The config of `pre-function` and `post-function`: per phase a list of Lua chunks. */
export function validateFunctionConfig(value: unknown): {
  config: Record<string, unknown>;
  faults: ConfigFault[];
} {
  const config: Record<string, unknown> = Object.fromEntries(FUNCTION_PHASES.map((phase) => [phase, []]));
  const faults: ConfigFault[] = [];
  let chunks = 0;
  for (const [key, list] of Object.entries((value ?? {}) as Record<string, unknown>)) {
    if (!FUNCTION_PHASES.some((phase) => phase === key)) {
      const message = OTHER_PHASES.includes(key)
        ? `${key} is not emulated by the local gateway`
        : `unknown field ${key}`;
      faults.push({ path: [key], message });
    } else if (!Array.isArray(list) || list.some((chunk) => typeof chunk !== 'string')) {
      faults.push({ path: [key], message: `${key} must be a list of strings, each a Lua chunk` });
    } else {
      config[key] = list;
      chunks += list.length;
    }
  }
  if (chunks === 0 && faults.length === 0) {
    faults.push({ path: [], message: `needs at least one function in one of ${FUNCTION_PHASES.join(', ')}` });
  }
  return { config, faults };
}
