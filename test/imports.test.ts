import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMPORT =
  /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;

interface Import {
  readonly from: string;
  /** A file of this repository, or the name of a package. */
  readonly to: string;
  readonly lazy: boolean;
}

const imports: readonly Import[] = ['src', 'plugins'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .flatMap((name) => importsOf(`${folder}/${name}`)),
);

function importsOf(from: string): Import[] {
  // Doc comments hold examples.
  const source = readFileSync(join(ROOT, from), 'utf8').replace(/\/\*\*[\s\S]*?\*\//g, '');
  return [...source.matchAll(IMPORT)].map(([, , name, bare, lazy]) => {
    const specifier = (name ?? bare ?? lazy) as string;
    return { from, to: target(from, specifier), lazy: lazy !== undefined };
  });
}

function target(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const path = relative(ROOT, resolve(ROOT, dirname(from), specifier)).replace(/js$/, 'ts');
  return existsSync(join(ROOT, path)) ? path : specifier;
}

/** `plugins/hello/index.ts` and `plugins/hello.ts` are of `hello`; the function plugins share their folder. */
function pluginOf(path: string): string {
  const [, name = ''] = /^plugins\/([^/.]+)/.exec(path) ?? [];
  return /^js-(pre|post|response)-function$/.test(name) ? 'js-functions' : name;
}

test('only commands know the bundled plugins', () => {
  const wrong = imports.filter(
    ({ from, to }) =>
      from.startsWith('src/') && !from.startsWith('src/commands/') && to.startsWith('plugins/'),
  );
  assert.deepEqual(wrong, []);
});

test('bundled plugins import what a user’s can: the public API, packages, and their own folder', () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!from.startsWith('plugins/')) return false;
    return to.startsWith('src/') || (to.startsWith('plugins/') && pluginOf(to) !== pluginOf(from));
  });
  assert.deepEqual(wrong, []);
});

test('there are no circles, of types neither', () => {
  const graph = new Map<string, string[]>();
  for (const { from, to, lazy } of imports) {
    if (!lazy) graph.set(from, [...(graph.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file].join(' → '));
    if (start >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  assert.deepEqual(circles, []);
});
