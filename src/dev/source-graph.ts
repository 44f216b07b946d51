import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** Imports, re-exports and requires with a fixed text, in JavaScript and TypeScript alike. */
const IMPORT =
  /\b(?:from|import|require)\s*\(?\s*(?:\/\*[^*]*\*\/\s*)?(?:'([^'\n]+)'|"([^"\n]+)"|`([^`$\n]+)`)/g;
const MODULE = /\.[mc]?[jt]sx?$/;
const EXTENSIONS = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json'];
/** Who imports more than this has generated it. */
const MAX_FILES = 5000;

/** What plugins are made of. */
export interface SourceGraph {
  /** Files outside of the folder that are imported, directly or not. */
  readonly outside: readonly string[];
  /** Folders of packages that are linked into `node_modules` from elsewhere, as a monorepo does. */
  readonly linkedPackages: readonly string[];
  /** Whether any file of it contains the text. */
  mentions(text: string): boolean;
}

/**
 * Follows the imports of the modules in `folder`, without running them: files by relative or absolute path, and packages
 * that are links. What is computed at run time is not seen.
 *
 * @param entries start from these only, instead of everything in the folder
 */
export function readSourceGraph(folder: string, entries?: readonly string[]): SourceGraph {
  const root = resolve(folder);
  const texts = new Map<string, string>();
  const linked = new Set<string>();
  const line = entries === undefined ? modulesBelow(root) : entries.map((entry) => resolve(entry));
  for (let file = line.pop(); file !== undefined && texts.size < MAX_FILES; file = line.pop()) {
    if (texts.has(file)) continue;
    const text = readText(file);
    if (text === undefined) continue;
    texts.set(file, text);
    if (!MODULE.test(file)) continue;
    for (const specifier of specifiers(text)) {
      const found = /^[./]|^file:/.test(specifier) ? resolveFile(file, specifier) : undefined;
      if (found !== undefined) line.push(found);
      else if (/^[@a-z]/i.test(specifier) && !specifier.startsWith('node:')) {
        const packageFolder = linkedPackage(dirname(file), specifier);
        if (packageFolder !== undefined) linked.add(packageFolder);
      }
    }
  }
  return {
    outside: [...texts.keys()].filter((file) => !file.startsWith(root + sep)),
    linkedPackages: [...linked],
    mentions: (wanted) => [...texts.values()].some((text) => text.includes(wanted)),
  };
}

function specifiers(text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, single, double, back]) => single ?? double ?? back ?? '');
}

function modulesBelow(folder: string): string[] {
  const found: string[] = [];
  let entries: { name: string; isDirectory(): boolean }[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // Not there, or not ours to read: whoever loads the plugins says so.
    return found;
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) found.push(...modulesBelow(path));
    else if (MODULE.test(entry.name)) found.push(path);
  }
  return found;
}

/** As the loader resolves: `./x.js` may mean `x.ts`, `./x` a file with any extension or a folder's index. */
function resolveFile(importer: string, specifier: string): string | undefined {
  const path = specifier.startsWith('file:')
    ? decodeURIComponent(new URL(specifier).pathname)
    : resolve(dirname(importer), specifier.replace(/[?#].*$/, ''));
  const typed = path.replace(/\.([mc]?)js$/, '.$1ts');
  const candidates = [
    ...(typed === path ? [] : [path, typed]),
    ...EXTENSIONS.map((extension) => path + extension),
    ...EXTENSIONS.map((extension) => join(path, `index${extension}`)),
  ];
  return candidates.find((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile());
}

/** The real folder of a package, where it lies outside of every `node_modules`. */
function linkedPackage(from: string, specifier: string): string | undefined {
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[1] ?? specifier;
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (statSync(candidate, { throwIfNoEntry: false })?.isDirectory()) {
      const real = realpathSync(candidate);
      return real.includes(`${sep}node_modules${sep}`) ? undefined : real;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone since it was found: the next change of the folder brings another look.
    return undefined;
  }
}
