import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type TypeScript from 'typescript';
import type { SourceLocation } from './errors.js';

export type ModuleFormat = 'module' | 'commonjs';

export interface CompiledModule {
  readonly format: ModuleFormat;
  readonly source: string;
}

/** A file that does not parse. The message starts with `file:line:column: `, which survives a copy between threads. */
export class SourceSyntaxError extends SyntaxError {
  constructor({ file, line, column }: SourceLocation, reason: string) {
    super(`${file}:${line}:${column ?? 1}: ${reason}`);
    this.name = 'SyntaxError';
  }
}

let compiler: typeof TypeScript | undefined;

/** The compiler takes a good part of a second to load, so it is loaded for the first TypeScript file only. */
function typescript(): typeof TypeScript {
  compiler ??= createRequire(import.meta.url)('typescript') as typeof TypeScript;
  return compiler;
}

/**
 * Turns TypeScript into JavaScript with an inline source map. Types are erased, not checked; imports that are only
 * used as types disappear; no tsconfig.json is read.
 *
 * The module format follows the extension and the nearest package.json, as in TypeScript itself, with two exceptions:
 * a file that assigns `module.exports` and exports nothing else is CommonJS everywhere, and one that uses top-level
 * await or `import.meta` is an ES module everywhere.
 *
 * @param format the format to compile to, where the caller has no choice
 * @throws SourceSyntaxError for the first place that does not parse
 */
export function compileTypeScript(file: string, source: string, format?: ModuleFormat): CompiledModule {
  const ts = typescript();
  const target = format ?? formatOf(file, source);
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: target === 'module' ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  const [fault] = diagnostics;
  if (fault !== undefined) throw syntaxError(file, fault);
  return { format: target, source: outputText };
}

/** Parses JavaScript or TypeScript and gives the first fault; for runtimes that do not say where one is. */
export function findSyntaxError(file: string): SourceSyntaxError | undefined {
  const { diagnostics = [] } = typescript().transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: { allowJs: true },
  });
  return diagnostics[0] && syntaxError(file, diagnostics[0]);
}

/** Whether JavaScript in this place is a CommonJS module that its package.json declares to be an ES module. */
export function isMisplacedCommonJs(file: string, source: string): boolean {
  return /\.[jt]s$/.test(file) && packageType(file) === 'module' && exportsLikeCommonJs(source);
}

function exportsLikeCommonJs(source: string): boolean {
  return /^\s*(module\.)?exports\b[.\w[\]'"]*\s*=/m.test(source) && !/^\s*export\b/m.test(source);
}

/** The format that {@link compileTypeScript} chooses. */
export function formatOf(file: string, source: string): ModuleFormat {
  const extension = extname(file);
  if (extension === '.mts') return 'module';
  if (extension === '.cts') return 'commonjs';
  if (packageType(file) === 'module') return exportsLikeCommonJs(source) ? 'commonjs' : 'module';
  return needsEsModule(file, source) ? 'module' : 'commonjs';
}

function needsEsModule(file: string, source: string): boolean {
  const ts = typescript();
  const visit = (node: TypeScript.Node, top: boolean): boolean => {
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return true;
    if (top && (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier))) return true;
    const inside = top && !ts.isFunctionLike(node);
    return ts.forEachChild(node, (child) => visit(child, inside) || undefined) ?? false;
  };
  return visit(ts.createSourceFile(file, source, ts.ScriptTarget.ES2022), true);
}

/** The `type` of the package.json that governs a file. */
function packageType(file: string): ModuleFormat {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { type } = JSON.parse(readFileSync(manifest, 'utf8')) as { type?: unknown };
      return type === 'module' ? 'module' : 'commonjs';
    }
    if (dirname(folder) === folder || folder.endsWith('node_modules')) return 'commonjs';
  }
}

function syntaxError(file: string, diagnostic: TypeScript.Diagnostic): SourceSyntaxError {
  const reason = typescript().flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  const at = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0) ?? {
    line: 0,
    character: 0,
  };
  return new SourceSyntaxError({ file, line: at.line + 1, column: at.character + 1 }, reason);
}
