import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The file that a thread of functions starts with. */
const ENTRY = new URL('./thread/main.js', import.meta.url);
/** Where it goes when it is made from its sources: beside the packages that it imports. */
const CACHE = new URL('../../../node_modules/.cache/kong-ts-pluginserver/', import.meta.url);

/**
 * The file that a thread of functions starts with: compiled with the package.
 *
 * Run from its sources, it is compiled here, once per process: a loader for TypeScript in every thread would make each
 * of them start ten times slower.
 */
export function threadEntry(): URL {
  if (!import.meta.url.endsWith('.ts')) return ENTRY;
  const require = createRequire(import.meta.url);
  const { buildSync } = require('esbuild') as {
    buildSync(options: object): { readonly outputFiles: readonly { readonly text: string }[] };
  };
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('./thread/main.ts', import.meta.url))],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
  });
  mkdirSync(CACHE, { recursive: true });
  const made = new URL('functions-thread.mjs', CACHE);
  const fresh = new URL(`functions-thread-${process.pid}.mjs`, CACHE);
  writeFileSync(fresh, outputFiles[0]?.text ?? '');
  renameSync(fresh, made);
  return made;
}
