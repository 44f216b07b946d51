import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { definePlugin } from './define.js';
import type { PluginDefinition } from './definition.js';
import { findPluginFiles, type PluginFile } from './discover.js';
import { PluginLoadError } from './errors.js';
import { readExports } from './exports.js';
import { importPlugin } from './import-plugin.js';

export interface LoadOptions {
  /** Load the plugins with these names only. A plugin in a file of another name is found, too, only more slowly. */
  readonly only?: readonly string[];
}

export interface LoadedPlugins {
  /** Sorted by name. */
  readonly plugins: PluginDefinition[];
  /** One per file that could not be loaded and per wanted name that was not found. */
  readonly failures: PluginLoadError[];
}

/**
 * Loads the plugins of a directory. A plugin that fails is reported and does not keep the others from loading. Of two
 * plugins with one name, neither is loaded.
 *
 * @throws PluginLoadError `PLUGIN_DIRECTORY` when the directory cannot be read.
 */
export async function loadPlugins(directory: string, options: LoadOptions = {}): Promise<LoadedPlugins> {
  const folder = resolve(directory);
  const files = findPluginFiles(folder);
  const wanted = options.only && new Set(options.only.map((name) => name.toLowerCase()));

  const loaded = new Map<PluginFile, PluginDefinition | PluginLoadError>();
  const load = async (batch: readonly PluginFile[]) => {
    for (const file of batch) if (!loaded.has(file)) loaded.set(file, await loadOne(file));
  };
  await load(wanted === undefined ? files : files.filter(({ name }) => wanted.has(name)));
  const missing = () => wanted !== undefined && [...wanted].some((name) => !isAccountedFor(name, loaded));
  if (missing()) await load(files);

  const { plugins, duplicates } = separateDuplicates(
    [...loaded.values()].filter((result): result is PluginDefinition => !(result instanceof PluginLoadError)),
  );
  const failures = [...loaded]
    .filter(([file]) => wanted === undefined || wanted.has(file.name))
    .map(([, result]) => result)
    .filter((result) => result instanceof PluginLoadError);
  for (const [name, group] of duplicates) {
    if (wanted === undefined || wanted.has(name)) failures.push(...group);
  }
  if (files.length === 0 && wanted === undefined) {
    const reason = `there is no plugin in this directory: looked for NAME.ts or .js, NAME/index.ts or .js, and for the "main" of NAME/package.json`;
    failures.push(new PluginLoadError('PLUGIN_NOT_FOUND', folder, reason));
  }
  for (const name of wanted ?? []) {
    if (isAccountedFor(name, loaded)) continue;
    const known = plugins.map((plugin) => plugin.name).join(', ') || 'none';
    const reason = `there is no plugin "${name}" in this directory (plugins found: ${known})`;
    failures.push(new PluginLoadError('PLUGIN_NOT_FOUND', folder, reason));
  }
  return {
    plugins: plugins.filter(({ name }) => wanted === undefined || wanted.has(name)),
    failures,
  };
}

async function loadOne({ name, file, fault }: PluginFile): Promise<PluginDefinition | PluginLoadError> {
  if (fault !== undefined) return fault;
  try {
    const parts = readExports(await importPlugin(file));
    const modifiedAt = Math.floor(statSync(file).mtimeMs / 1000);
    return definePlugin({ ...parts, name: parts.name ?? name }, { file, modifiedAt });
  } catch (error) {
    if (error instanceof PluginLoadError) return error;
    return new PluginLoadError('PLUGIN_EXPORTS', file, String(error), { cause: error });
  }
}

/** Whether a wanted plugin was loaded, or the file of its name failed, which says more than "not found". */
function isAccountedFor(
  name: string,
  loaded: ReadonlyMap<PluginFile, PluginDefinition | PluginLoadError>,
): boolean {
  for (const [file, result] of loaded) {
    if (result instanceof PluginLoadError ? file.name === name : result.name === name) return true;
  }
  return false;
}

function separateDuplicates(definitions: readonly PluginDefinition[]): {
  plugins: PluginDefinition[];
  duplicates: Map<string, PluginLoadError[]>;
} {
  const byName = new Map<string, PluginDefinition[]>();
  for (const definition of definitions) {
    byName.set(definition.name, [...(byName.get(definition.name) ?? []), definition]);
  }
  const plugins: PluginDefinition[] = [];
  const duplicates = new Map<string, PluginLoadError[]>();
  for (const [name, group] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [only] = group;
    if (group.length === 1 && only !== undefined) {
      plugins.push(only);
      continue;
    }
    const files = group.map(({ file }) => file ?? '');
    const errors = files.map((file) => {
      const others = files.filter((other) => other !== file).join(' and ');
      return new PluginLoadError(
        'PLUGIN_DUPLICATE',
        file,
        `the plugin "${name}" is also defined in ${others}`,
      );
    });
    duplicates.set(name, errors);
  }
  return { plugins, duplicates };
}
