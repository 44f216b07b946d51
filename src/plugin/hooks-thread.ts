import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';
import { pathOf, resolveForPlugin, urlOf } from './module-resolution.js';
import { compileTypeScript } from './typescript.js';

/** Module hooks for Node below 22.15, which runs them in a thread of its own. */

let compiles = true;

/** @param data.typescript whether TypeScript is ours to compile */
export function initialize(data: { typescript: boolean }): void {
  compiles = data.typescript;
}

export const resolve: ResolveHook = (specifier, context, nextResolve) => {
  const path = resolveForPlugin(specifier, pathOf(context.parentURL));
  return nextResolve(path === undefined ? specifier : urlOf(path), context);
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const file = compiles ? pathOf(url) : undefined;
  if (file === undefined || !/\.[mc]?ts$/.test(file)) return nextLoad(url, context);
  return { ...compileTypeScript(file, await readFile(file, 'utf8')), shortCircuit: true };
};
