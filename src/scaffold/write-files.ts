import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PluginServerError } from '../errors.js';
import type { ScaffoldFile } from './plugin.js';

/**
 * Writes files below a folder: all of them, or, where one of them exists already, none.
 *
 * @throws PluginServerError `FILE_EXISTS` naming those that do
 */
export function writeFiles(folder: string, files: readonly ScaffoldFile[]): void {
  const existing = files.filter(({ path }) => existsSync(join(folder, path)));
  if (existing.length > 0) {
    const names = existing.map(({ path }) => join(folder, path)).join(', ');
    throw new PluginServerError('FILE_EXISTS', `nothing was written: there is ${names} already`);
  }
  for (const { path, text } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { flag: 'wx' });
  }
}
