import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures/types');
const MISTAKE = '// mistake: ';

/** One way in which a user's project may be set up. */
interface Cell {
  readonly name: string;
  readonly type: 'module' | 'commonjs';
  readonly options: ts.CompilerOptions;
  /** Whether the project has @types/node; the types must be complete without. */
  readonly node?: boolean;
}

const STRICT: ts.CompilerOptions = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, types: [] };
const LIB = { lib: ['lib.es2023.d.ts'] };

const CELLS: readonly Cell[] = (['module', 'commonjs'] as const).flatMap((type) =>
  (['nodenext', 'bundler'] as const).flatMap((resolution) =>
    [true, false].map((skipLibCheck) => ({
      name: `${resolution}, ${type === 'module' ? 'ESM' : 'CommonJS'}, skipLibCheck ${skipLibCheck}`,
      type,
      // Once where the types of others are checked, and once where they are not.
      node: type === 'module' && resolution === 'nodenext',
      options: {
        ...STRICT,
        ...LIB,
        skipLibCheck,
        ...(resolution === 'nodenext'
          ? { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }
          : { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }),
      },
    })),
  ),
);

/** Source files by name and settings: most of a program is the same in every cell. */
const parsed = new Map<string, ts.SourceFile | undefined>();

function program(roots: readonly string[], options: ts.CompilerOptions): ts.Program {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (file, settings, ...more) => {
    const key = `${file} ${JSON.stringify({ ...(settings as object), setExternalModuleIndicator: undefined })}`;
    if (!parsed.has(key)) parsed.set(key, read.call(host, file, settings, ...more));
    return parsed.get(key);
  };
  return ts.createProgram(roots, options, host);
}

function problems(found: readonly ts.Diagnostic[]): string[] {
  return found.map(({ file, start, messageText }) => {
    const line = file === undefined ? '' : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

/** Writes this package into a project's node_modules as it is published, with its declarations only. */
function installDeclarations(folder: string): void {
  const target = join(folder, 'node_modules/kong-ts-pluginserver');
  mkdirSync(target, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(target, 'package.json'));
  const settings = ts.getParsedCommandLineOfConfigFile(
    join(ROOT, 'tsconfig.build.json'),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (problem) => assert.fail(String(problem.messageText)),
    },
  );
  assert.ok(settings);
  const { outDir = 'dist', declarationDir = outDir } = settings.options;
  const built = program([join(ROOT, 'src/index.ts')], {
    ...settings.options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true,
    outDir: join(target, declarationDir.slice(ROOT.length)),
    declarationDir: join(target, declarationDir.slice(ROOT.length)),
  });
  const { diagnostics, emitSkipped } = built.emit();
  assert.deepEqual([problems(diagnostics), emitSkipped], [[], false]);
}

/** The plugin that README shows first. */
function readmeExample(): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, example] = /## Write a plugin[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  assert.ok(example, 'README has an example');
  return example;
}

/** The lines of a file in which mistakes were planted. */
function plantedLines(text: string): number[] {
  return text.split('\n').flatMap((line, index) => (line.trim().startsWith(MISTAKE) ? [index + 1] : []));
}

describe('what a user compiles', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-types-'));
  const mistakes = readFileSync(join(FIXTURES, 'mistakes.ts'), 'utf8');

  /** A project of the cell's kind; the package's declarations are the same for all. */
  function project({ name, type, node = false }: Omit<Cell, 'options'>): string {
    const path = join(folder, node ? 'with-node' : 'without-node', name.replaceAll(/\W+/g, '-'));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'p', type }));
    writeFileSync(join(path, 'readme.ts'), readmeExample());
    writeFileSync(join(path, 'mistakes.ts'), mistakes);
    cpSync(join(FIXTURES, 'consumer.ts'), join(path, 'consumer.ts'));
    return path;
  }

  function check(path: string, options: ts.CompilerOptions): void {
    const files = ['readme.ts', 'consumer.ts', 'mistakes.ts'].map((file) => join(path, file));
    const found = ts.getPreEmitDiagnostics(program(files, options));
    const isPlanted = ({ file }: ts.Diagnostic) => file?.fileName.endsWith('mistakes.ts') === true;
    assert.deepEqual(problems(found.filter((problem) => !isPlanted(problem))), []);
    const lines = found
      .filter(isPlanted)
      .map(({ file, start = 0 }) => file?.getLineAndCharacterOfPosition(start).line);
    assert.deepEqual([...new Set(lines)], plantedLines(mistakes));
  }

  before(() => {
    for (const kind of ['with-node', 'without-node']) installDeclarations(join(folder, kind));
    mkdirSync(join(folder, 'with-node/node_modules/@types'));
    for (const name of ['@types/node', 'undici-types']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'with-node/node_modules', name));
    }
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const cell of CELLS) {
    it(`${cell.name}: the README's plugin is right, every planted mistake is an error`, () => {
      check(project(cell), { ...cell.options, ...(cell.node ? { types: ['node'] } : {}) });
    });
  }

  it("tsc --init's defaults", () => {
    const path = project({ name: 'init', type: 'module' });
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '--init'], { cwd: path });
    const { config, error } = ts.readConfigFile(join(path, 'tsconfig.json'), (file) =>
      readFileSync(file, 'utf8'),
    );
    assert.equal(error, undefined);
    const { options, errors } = ts.parseJsonConfigFileContent(config, ts.sys, path);
    assert.deepEqual(problems(errors), []);
    check(path, { ...options, noEmit: true, declaration: false, declarationMap: false });
  });

  it('nothing of it imports kong-pdk, or anything else that the package does not depend on', () => {
    const { options } = CELLS[0] as Cell;
    const path = project({ name: 'imports', type: 'module' });
    const inside = dirname(path);
    for (const { fileName, text } of program([join(path, 'consumer.ts')], options).getSourceFiles()) {
      if (!fileName.startsWith(join(inside, 'node_modules'))) continue;
      const imported = ts.preProcessFile(text).importedFiles.map(({ fileName: name }) => name);
      assert.deepEqual(
        imported.filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
        [],
        fileName,
      );
    }
  });

  it('a handler typed with kong-pdk can be given ours, and every function that kong-pdk declares is there', () => {
    const file = join(ROOT, 'test/types/contract.ts');
    const options: ts.CompilerOptions = {
      ...STRICT,
      ...LIB,
      types: ['node'],
      skipLibCheck: true,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      paths: { 'kong-ts-pluginserver': [join(folder, 'without-node/node_modules/kong-ts-pluginserver')] },
      allowImportingTsExtensions: false,
    };
    assert.deepEqual(problems(program([file], options).getSemanticDiagnostics()), []);
  });
});
