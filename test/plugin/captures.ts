import { readFileSync } from 'node:fs';
import type { PluginInfo } from '../../src/plugin/dump.js';

/** One recorded start of Kong with a plugin dump. */
export interface DumpCapture {
  readonly name: string;
  readonly stdout: string;
  readonly kongStarts: boolean;
  readonly config?: Record<string, unknown>;
  readonly received?: { readonly config: Record<string, unknown> };
  readonly validate?: readonly { config?: unknown; status: number; body: { message: string } }[];
}

const file = new URL('../fixtures/kong-captures/dump.json', import.meta.url);

export const DUMPS = JSON.parse(readFileSync(file, 'utf8')) as readonly DumpCapture[];

/** The first plugin that a capture's dump describes. */
export function pluginOf({ stdout }: DumpCapture): PluginInfo {
  const dumped = JSON.parse(stdout) as PluginInfo[] | { Plugins: PluginInfo[] };
  const [plugin] = Array.isArray(dumped) ? dumped : dumped.Plugins;
  if (plugin === undefined) throw new Error('the dump of this capture is empty');
  return plugin;
}

/** The captures about the fields of the config record, which is all a plugin module can declare. */
export const CONFIG_SCHEMAS = DUMPS.filter(
  ({ name }) =>
    name.startsWith('schema_') &&
    !/^schema_(no_name|no_config|protocols|consumer|unknown_top|top_level|entity_checks_top|shorthand)/.test(
      name,
    ),
);
