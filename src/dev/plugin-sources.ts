import { readFileSync } from 'node:fs';
import { findPluginFiles, type PluginFile } from '../plugin/discover.js';
import { readSourceGraph } from './source-graph.js';
import type { WatchTargets } from './watch.js';

/** Everything whose change makes the plugin server start anew: the folder, and what its modules import from elsewhere. */
export function pluginSources(directory: string): WatchTargets {
  const { outside, linkedPackages } = readSourceGraph(directory);
  return { folders: [directory, ...linkedPackages], files: outside };
}

/**
 * Whether a plugin that the configuration names reads the variables of a database, `SERVER_DB_…`, somewhere in its
 * sources.
 */
export function asksForDatabase(directory: string, configText: string): boolean {
  let files: PluginFile[];
  try {
    files = findPluginFiles(directory);
  } catch {
    // Whoever loads the plugins says what is wrong with the directory.
    return false;
  }
  const text = configText.toLowerCase();
  const entries = files.filter((file) => namesOf(file).some((name) => text.includes(name)));
  if (entries.length === 0) return false;
  return readSourceGraph(
    directory,
    entries.map(({ file }) => file),
  ).mentions('SERVER_DB_');
}

/** A plugin has the name of its file, unless it exports another one. */
function namesOf({ name, file }: PluginFile): string[] {
  const exported = readFileSync(file, 'utf8').matchAll(/\bname\b['"]?\s*[:=]\s*['"]([\w.-]+)['"]/gi);
  return [name, ...[...exported].map(([, found]) => (found as string).toLowerCase())];
}
