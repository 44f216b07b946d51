import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginDefinition } from './definition.js';
import { type DumpOptions, dump } from './dump.js';
import { PluginLoadError } from './errors.js';

/**
 * Writes the dump of each plugin to `NAME.json` in a folder, which is made if it is not there: for a Kong in another
 * container, whose `query_cmd` is `/bin/cat` of that file. A reader never sees half a file.
 *
 * @throws PluginLoadError `PLUGIN_DIRECTORY` when the folder cannot be written to
 */
export function writeDumps(folder: string, plugins: readonly PluginDefinition[], options: DumpOptions): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const plugin of plugins) {
      const file = join(folder, `${plugin.name}.json`);
      const beside = `${file}.${process.pid}`;
      // Kong reads it as another user.
      writeFileSync(beside, `${dump([plugin], options)}\n`, { mode: 0o644 });
      renameSync(beside, file);
    }
  } catch (cause) {
    const reason = `the dumps cannot be written (${(cause as NodeJS.ErrnoException).code})`;
    throw new PluginLoadError('PLUGIN_DIRECTORY', folder, reason, { cause });
  }
}
