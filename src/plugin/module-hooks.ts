import { readFileSync } from 'node:fs';
import Module, { register } from 'node:module';
import { dirname } from 'node:path';
import { pathOf, resolveForPlugin, urlOf } from './module-resolution.js';
import { compileTypeScript } from './typescript.js';

/** What Node has and its declarations (or those of our oldest Node) leave out. */
interface ModuleInternals {
  registerHooks?(hooks: { resolve: SyncResolve; load?: SyncLoad }): void;
  _extensions: Record<string, (module: CommonJsModule, file: string) => void>;
  _resolveFilename(request: string, parent: CommonJsModule | null | undefined, ...rest: unknown[]): string;
  _nodeModulePaths(folder: string): string[];
  new (id: string): CommonJsModule;
}

interface CommonJsModule {
  filename: string | null;
  paths: string[];
  loaded: boolean;
  exports: unknown;
  _compile(code: string, file: string): void;
}

type SyncResolve = (
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => unknown,
) => unknown;
type SyncLoad = (url: string, context: object, next: (url: string, context: object) => unknown) => unknown;

const internals = Module as unknown as ModuleInternals;
const TYPESCRIPT = /\.[mc]?ts$/;

/**
 * Whether TypeScript is ours to compile: running from source, this process already has a loader for it, which had
 * better stay the only one.
 */
export const COMPILES = !import.meta.url.endsWith('.ts');

let installed = false;

/**
 * Makes `import` and `require` in this process load TypeScript and find this package by its name. Stack traces point
 * into the TypeScript source from then on. Repeated calls do nothing.
 */
export function installModuleHooks(): void {
  if (installed) return;
  installed = true;
  if (COMPILES) process.setSourceMapsEnabled(true);
  if (internals.registerHooks !== undefined) {
    internals.registerHooks({ resolve: resolveSync, ...(COMPILES && { load: loadSync }) });
  } else {
    const thread = import.meta.url.replace(/module-hooks(\.[jt]s)$/, 'hooks-thread$1');
    register(thread, { data: { typescript: COMPILES } });
  }
  installRequireHooks();
}

/**
 * Runs source text as a CommonJS module, whatever the nearest package.json says about its file.
 *
 * @returns its `module.exports`
 */
export function runCommonJs(file: string, source: string): unknown {
  const module = new internals(file);
  module.filename = file;
  module.paths = internals._nodeModulePaths(dirname(file));
  module._compile(source, file);
  module.loaded = true;
  return module.exports;
}

const resolveSync: SyncResolve = (specifier, context, next) => {
  const path = resolveForPlugin(specifier, pathOf(context.parentURL));
  return path === undefined ? next(specifier, context) : { url: urlOf(path), shortCircuit: true };
};

const loadSync: SyncLoad = (url, context, next) => {
  const file = pathOf(url);
  if (file === undefined || !TYPESCRIPT.test(file)) return next(url, context);
  return { ...compileTypeScript(file, readFileSync(file, 'utf8')), shortCircuit: true };
};

/** Not every `require` asks the module hooks (in Node 20 none does), so it learns the same things the old way. */
function installRequireHooks(): void {
  const resolveFilename = internals._resolveFilename;
  internals._resolveFilename = function resolveRequest(request, parent, ...rest) {
    const path = resolveForPlugin(request, parent?.filename ?? undefined);
    return resolveFilename.call(this, path ?? request, parent, ...rest);
  };
  if (!COMPILES) return;
  for (const extension of ['.ts', '.mts', '.cts']) {
    internals._extensions[extension] = (module, file) => {
      module._compile(compileTypeScript(file, readFileSync(file, 'utf8'), 'commonjs').source, file);
    };
  }
}
