import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder `src`, or `dist/src` in the build. */
const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGE = HERE.replace(/(\/dist)?\/src$/, '');
const FOLDERS = [`${PACKAGE}/src/`, `${PACKAGE}/dist/src/`, `${PACKAGE}/dist/chunks/`];

/**
 * Whether a path, or a line that holds one, is in this package's own code, the bundled plugins left out. The stack traces
 * of the build name its sources where there are source maps, and its chunks where there are none.
 */
export function isOwnCode(line: string): boolean {
  return FOLDERS.some((folder) => line.includes(folder));
}

/** ` (at /plugins/secret.js:3:11)`: where a plugin's code threw, or called what threw. Empty where nothing is known. */
export function placeOf(error: unknown): string {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return '';
  for (const line of error.stack.split('\n')) {
    const place = /^ {4}at (?:.*\()?((?:file:\/\/)?\/[^()]*:\d+:\d+)\)?$/.exec(line)?.[1];
    if (place === undefined) continue;
    const file = place.replace(/^file:\/\//, '');
    if (!isOwnCode(file) && !file.includes('/node_modules/')) return ` (at ${file})`;
  }
  return '';
}
