import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PluginLoadError } from './errors.js';

/** A file that should hold a plugin, and the name it has unless it exports another one. */
export interface PluginFile {
  readonly name: string;
  readonly file: string;
}

const MODULE = /^(.+)\.[mc]?[jt]s$/;
const NOT_A_PLUGIN = /(\.d\.[mc]?ts|\.(test|spec|config)\.[mc]?[jt]s)$/;
const INDEX_FILES = ['index.ts', 'index.mts', 'index.cts', 'index.js', 'index.mjs', 'index.cjs'];

/**
 * Finds the plugin modules of a directory: `NAME.{ts,mts,cts,js,mjs,cjs}` and `NAME/index.{…}`, sorted by name.
 *
 * Hidden files, `node_modules`, declarations, tests, tool configuration and anything that is no module are passed
 * over, and so are folders without an index, which may hold code that plugins share.
 *
 * @throws PluginLoadError `PLUGIN_DIRECTORY` when the directory cannot be read.
 */
export function findPluginFiles(directory: string): PluginFile[] {
  let entries: string[];
  try {
    entries = readdirSync(directory);
  } catch (error) {
    const reason = `the plugins directory cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw new PluginLoadError('PLUGIN_DIRECTORY', directory, reason, { cause: error });
  }
  const found: PluginFile[] = [];
  for (const entry of entries.sort()) {
    if (entry.startsWith('.') || entry === 'node_modules') continue;
    const path = join(directory, entry);
    // Mounted volumes and installed packages consist of links, so what counts is the target.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) {
      for (const index of INDEX_FILES) {
        const file = join(path, index);
        if (statSync(file, { throwIfNoEntry: false })?.isFile())
          found.push({ name: entry.toLowerCase(), file });
      }
    } else if (stats === undefined || stats.isFile()) {
      const name = NOT_A_PLUGIN.test(entry) ? undefined : MODULE.exec(entry)?.[1];
      if (name !== undefined) found.push({ name: name.toLowerCase(), file: path });
    }
  }
  return found;
}
