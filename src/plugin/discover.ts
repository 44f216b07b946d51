import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PluginLoadError } from './errors.js';

/** A file that should hold a plugin, and the name it has unless it exports another one. */
export interface PluginFile {
  readonly name: string;
  readonly file: string;
  /** Why there is no use in loading it. */
  readonly fault?: PluginLoadError;
}

const MODULE = /^(.+)\.[mc]?[jt]s$/;
const NOT_A_PLUGIN = /(\.d\.[mc]?ts|\.(test|spec|config)\.[mc]?[jt]s)$/;
const EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/**
 * Finds the plugin modules of a directory, sorted by name: `NAME.{ts,mts,cts,js,mjs,cjs}`, the `main` of
 * `NAME/package.json`, and `NAME/index.{…}` where there is no `main`, or none that exists.
 *
 * Hidden files, `node_modules`, declarations, tests, tool configuration and anything that is no module are passed
 * over, and so are folders without main and index, which may hold code that plugins share.
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
      found.push(...pluginsOf(path, entry.toLowerCase()));
    } else if (stats === undefined || stats.isFile()) {
      const name = NOT_A_PLUGIN.test(entry) ? undefined : MODULE.exec(entry)?.[1];
      if (name !== undefined) found.push({ name: name.toLowerCase(), file: path });
    }
  }
  return found;
}

function pluginsOf(folder: string, name: string): PluginFile[] {
  const description = join(folder, 'package.json');
  let main: string | undefined;
  try {
    main = isFile(description) ? mainOf(folder, readFileSync(description, 'utf8')) : undefined;
  } catch (cause) {
    const reason = `cannot be read: ${(cause as Error).message}`;
    const fault = new PluginLoadError('PLUGIN_EXPORTS', description, reason, { cause });
    return [{ name, file: description, fault }];
  }
  return (main === undefined ? indexesOf(folder) : [main]).map((file) => ({ name, file }));
}

/** The file that package.json names, found as Node finds it, and with the endings of TypeScript. */
function mainOf(folder: string, description: string): string | undefined {
  const { main } = JSON.parse(description) as { main?: unknown };
  if (typeof main !== 'string' || main === '') return undefined;
  const path = resolve(folder, main);
  const candidates = [path, ...EXTENSIONS.map((extension) => `${path}${extension}`)];
  return candidates.find(isFile) ?? (path === folder ? undefined : indexesOf(path)[0]);
}

function indexesOf(folder: string): string[] {
  return EXTENSIONS.map((extension) => join(folder, `index${extension}`)).filter(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
