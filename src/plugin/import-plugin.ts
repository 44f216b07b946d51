import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PluginLoadError, type SourceLocation } from './errors.js';
import { COMPILES, runCommonJs } from './module-hooks.js';
import { compileTypeScript, findSyntaxError, formatOf, isMisplacedCommonJs } from './typescript.js';

/**
 * Imports a plugin's module, ES or CommonJS, and gives what it exports: a module namespace, or `module.exports`.
 *
 * @throws PluginLoadError `PLUGIN_SYNTAX` or `PLUGIN_IMPORT`, with the place in the source where that can be told.
 */
export async function importPlugin(file: string): Promise<unknown> {
  try {
    const source = readFileSync(file, 'utf8');
    const isTypeScript = /\.[mc]?ts$/.test(file);
    const misplaced = isMisplacedCommonJs(file, source);
    if (isTypeScript && (COMPILES || !misplaced) && formatOf(file, source) === 'commonjs') {
      // An import would do, but in Node 20 CommonJS that a module hook provides cannot require ES modules.
      return createRequire(file)(file);
    }
    if (misplaced) {
      return runCommonJs(file, isTypeScript ? compileTypeScript(file, source, 'commonjs').source : source);
    }
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw explain(file, error);
  }
}

function explain(file: string, error: unknown): PluginLoadError {
  if (!(error instanceof Error)) {
    return new PluginLoadError('PLUGIN_IMPORT', file, `threw ${String(error)}`, { cause: error });
  }
  const syntax = syntaxFault(file, error);
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

function syntaxFault(
  file: string,
  error: Error,
): { reason: string; location: SourceLocation | undefined } | undefined {
  // Our compiler's errors, and esbuild's, which says ERROR between the place and the reason.
  const placed = /^(\/\S.*?):(\d+):(\d+): (?:ERROR: )?(.*)$/m.exec(error.message);
  if (
    placed !== null &&
    (error.name === 'SyntaxError' || error.name === 'TransformError' || 'errors' in error)
  ) {
    const [, at = file, line, column, reason = ''] = placed;
    return { reason, location: { file: at, line: Number(line), column: Number(column) } };
  }
  if (error.name !== 'SyntaxError') return undefined;
  const head = /^(file:\/\/.+?|\/.+?):(\d+)$/m.exec((error.stack ?? '').split('\n')[0] ?? '');
  if (head?.[1] !== undefined) {
    const at = head[1].startsWith('file:') ? fileURLToPath(head[1]) : head[1];
    return { reason: error.message, location: { file: at, line: Number(head[2]) } };
  }
  // An import of a name that is not exported is a SyntaxError in a file that parses.
  const found = findSyntaxError(file);
  return { reason: error.message, location: found && syntaxFault(file, found)?.location };
}

const FRAME = /^ {4}at (?:.*\(|async )?((?:file:\/\/)?\/[^()]+?)(?:\?[^()]*)?:(\d+):(\d+)\)?$/gm;
const OWN_FRAMES = /\/(node_modules\/.*|plugin\/(import-plugin|module-hooks)\.[jt]s)$/;

/** The first place in a stack trace outside Node, installed packages and this loader. */
function firstFrame(stack: string): SourceLocation | undefined {
  for (const [, url = '', line, column] of stack.matchAll(FRAME)) {
    const file = url.startsWith('file:') ? fileURLToPath(url) : url;
    if (!OWN_FRAMES.test(file)) return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}
