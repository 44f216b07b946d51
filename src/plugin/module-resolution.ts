import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The name under which plugins import this package, wherever they live. */
const OWN_NAME = 'kong-ts-pluginserver';

/** kong-pdk has declarations under this name and nothing to run; an import of it can only be meant as a type. */
const TYPES_ONLY = /^kong-pdk\/kong(\/|$)/;

/** This file's extension tells whether the package runs from source or compiled. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
/** The folder `src`, or `dist/src` in the compiled package. */
export const SOURCE_ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Resolves what Node itself cannot: this package by its name, kong-pdk's declarations, and relative imports that mean
 * a TypeScript file (`./x.js` beside `x.ts`, `./x`, a folder with an `index.ts`).
 *
 * @param specifier as written in the import or require
 * @param parent path of the importing file
 * @returns an absolute path, or undefined to leave the specifier to Node
 */
export function resolveForPlugin(specifier: string, parent: string | undefined): string | undefined {
  if (specifier === OWN_NAME) return join(SOURCE_ROOT, `index${EXTENSION}`);
  if (specifier.startsWith(`${OWN_NAME}/`)) {
    const index = join(SOURCE_ROOT, specifier.slice(OWN_NAME.length + 1), `index${EXTENSION}`);
    return isFile(index) ? index : undefined;
  }
  if (TYPES_ONLY.test(specifier)) return join(SOURCE_ROOT, 'plugin', `types-only${EXTENSION}`);
  if (parent?.includes('/node_modules/')) return undefined;
  const target = targetOf(specifier, parent);
  return target === undefined ? undefined : findModule(target);
}

function targetOf(specifier: string, parent: string | undefined): string | undefined {
  if (specifier.startsWith('file:')) return fileURLToPath(new URL(specifier.replace(/[?#].*$/s, '')));
  if (specifier.startsWith('/')) return specifier;
  if (parent === undefined || !/^\.\.?(\/|$)/.test(specifier)) return undefined;
  return resolve(dirname(parent), specifier);
}

/** What an import of `target` means when there is no file of exactly that name, in the order of likelihood. */
function findModule(target: string): string | undefined {
  if (isFile(target)) return undefined;
  const compiled = /^(.*)\.([mc]?)js$/s.exec(target);
  if (compiled !== null) {
    const source = `${compiled[1]}.${compiled[2]}ts`;
    return isFile(source) ? source : undefined;
  }
  if (isFile(join(target, 'package.json'))) return undefined;
  const extensions = ['.js', '.json', '.ts', '.mts', '.cts', '.mjs', '.cjs'];
  const candidates = [target, join(target, 'index')].flatMap((base) =>
    extensions.map((extension) => base + extension),
  );
  return candidates.find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The path in a `file:` URL; undefined for every other URL. */
export function pathOf(url: string | undefined): string | undefined {
  return url?.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/s, '')) : undefined;
}

/** The `file:` URL of a path. */
export function urlOf(path: string): string {
  return pathToFileURL(path).href;
}
