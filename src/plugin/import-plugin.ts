import { readFileSync } from 'node:fs';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Jiti } from 'jiti';
import { PluginLoadError, type SourceLocation } from './errors.js';

/** The name under which plugins import this package, wherever they live. */
const OWN_NAME = 'kong-ts-pluginserver';
/** kong-pdk has declarations under this name and nothing to run: an import of it can only be meant as a type. */
const TYPES_ONLY = 'kong-pdk/kong';
const OWN_FILE = fileURLToPath(import.meta.url);
/** It tells whether this package runs from source or compiled. */
const EXTENSION = extname(OWN_FILE);
/** The folder `src`, or `dist/src` in the compiled package. */
const SOURCE_ROOT = dirname(dirname(OWN_FILE));
const BUNDLED_PLUGINS = join(SOURCE_ROOT, '..', 'plugins', sep);

let loading: Promise<Jiti> | undefined;

/**
 * Imports a plugin's module and gives what it exports: a module namespace, or `module.exports`.
 *
 * Plugins may be TypeScript or JavaScript, ES modules or CommonJS, whatever the nearest package.json says; types are
 * erased and not checked, and stack traces point into the source. `kong-ts-pluginserver` is the package that loads
 * them, so that there is one of it.
 *
 * @throws PluginLoadError `PLUGIN_SYNTAX` or `PLUGIN_IMPORT`, with the place in the source where that can be told.
 */
export async function importPlugin(file: string): Promise<unknown> {
  try {
    // Our own plugins are loaded as the rest of this package is, which is faster.
    if (file.startsWith(BUNDLED_PLUGINS)) return await import(pathToFileURL(file).href);
    const source = readFileSync(file, 'utf8');
    if (needsNothing(file, source)) {
      try {
        return await import(pathToFileURL(file).href);
      } catch (error) {
        if (!isForLoader(error)) throw error;
      }
    }
    loading ??= createLoader();
    const jiti = await loading;
    // Whatever its format: Node would resolve this package in its own way, to another copy of it perhaps.
    return await jiti.evalModule(source, {
      filename: file,
      ext: extname(file),
      cache: jiti.cache,
      async: true,
      forceTranspile: true,
    });
  } catch (error) {
    throw explain(file, error);
  }
}

/** JavaScript that does not name this package is Node's to run, which is some 300 ms faster. */
function needsNothing(file: string, source: string): boolean {
  return /\.[mc]?js$/.test(file) && !source.includes(OWN_NAME) && !source.includes(TYPES_ONLY);
}

/** What Node cannot load and the loader can: an import that means a TypeScript file, CommonJS among ES modules. */
function isForLoader(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as { code?: string };
  return (
    /^(?:ERR_)?MODULE_NOT_FOUND$|^ERR_(?:UNKNOWN_FILE_EXTENSION|UNSUPPORTED_DIR_IMPORT|REQUIRE_ESM)$/.test(
      code,
    ) ||
    error instanceof SyntaxError ||
    'errors' in error ||
    /not defined in ES module scope/.test(error.message)
  );
}

async function createLoader(): Promise<Jiti> {
  const own: unknown = await import(pathToFileURL(join(SOURCE_ROOT, `index${EXTENSION}`)).href);
  const { createJiti } = await import('jiti');
  process.setSourceMapsEnabled(true);
  return createJiti(import.meta.url, {
    // What is loaded lies in memory and nowhere else: a folder for it would have to be guarded.
    fsCache: false,
    interopDefault: false,
    sourceMaps: true,
    // Columns stay what they are in the source.
    transformOptions: {
      babel: {
        generatorOpts: { experimental_preserveFormat: true, retainLines: true },
        parserOpts: { tokens: true, createParenthesizedExpressions: true },
      },
    },
    virtualModules: { [OWN_NAME]: own, [TYPES_ONLY]: {} },
  });
}

function explain(file: string, error: unknown): PluginLoadError {
  if (!(error instanceof Error)) {
    return new PluginLoadError('PLUGIN_IMPORT', file, `threw ${String(error)}`, { cause: error });
  }
  const syntax = syntaxFault(error);
  if (syntax !== undefined) {
    const { reason, location } = syntax;
    return new PluginLoadError('PLUGIN_SYNTAX', file, `syntax error: ${reason}`, { cause: error, location });
  }
  const kind = error.name === 'Error' ? '' : `${error.name}: `;
  // Node lists the files that led to a missing module below the message proper.
  const [text = ''] = error.message.split('\n');
  const importer = (error as { requireStack?: string[] }).requireStack?.[0];
  const through = importer === undefined || importer === file ? '' : ` (required by ${importer})`;
  const location = firstFrame(error.stack ?? '');
  return new PluginLoadError('PLUGIN_IMPORT', file, `${kind}${text}${through}`, { cause: error, location });
}

/** The parser says `ParseError: REASON` and, on a line of its own, `FILE:LINE:COLUMN` with columns from 0. */
function syntaxFault({ message }: Error): { reason: string; location: SourceLocation } | undefined {
  const placed = /^ParseError: (.*?)\s*\n\s*(\/.*):(\d+):(\d+)\s*$/m.exec(message);
  if (placed === null) return undefined;
  const [, reason = '', at = '', line, column] = placed;
  return { reason, location: { file: at, line: Number(line), column: Number(column) + 1 } };
}

const FRAME = /^ {4}at (?:.*\(|async )?((?:file:\/\/)?\/[^()]+?)(?:\?[^()]*)?:(\d+):(\d+)\)?$/gm;
const OWN_FRAMES = /\/(node_modules\/.*|plugin\/import-plugin\.[jt]s)$/;

/** The first place in a stack trace outside Node, installed packages and this loader. */
function firstFrame(stack: string): SourceLocation | undefined {
  for (const [, url = '', line, column] of stack.matchAll(FRAME)) {
    const file = url.startsWith('file:') ? fileURLToPath(url) : url;
    if (!OWN_FRAMES.test(file)) return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}
