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
  const named = files.filter(({ name }) => configText.toLowerCase().includes(name));
  // A plugin may export another name than its file's.
  const entries = (named.length > 0 ? named : files).map(({ file }) => file);
  return readSourceGraph(directory, entries).mentions('SERVER_DB_');
}
