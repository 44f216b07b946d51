import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The compiled `src/plugin` in a package of its own, to be run by Node without any loader. */
export interface CompiledPackage {
  /** Runs a module that finds the compiled files under `root` (`./dist/src/plugin/loader.js`); gives its output. */
  run(script: string): Promise<{ stdout: string; stderr: string }>;
  remove(): void;
}

export function compilePackage(): CompiledPackage {
  const root = mkdtempSync(join(tmpdir(), 'kong-package-'));
  const output = join(root, 'dist/src');
  mkdirSync(join(output, 'plugin'), { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(ROOT, 'node_modules/jiti'), join(root, 'node_modules/jiti'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  // Stands for the server, which is more than a loader needs.
  writeFileSync(join(output, 'index.js'), 'export function startDedicatedServer() {}');
  const sources = readdirSync(join(ROOT, 'src/plugin')).map((name) => `plugin/${name}`);
  for (const name of ['errors.ts', ...sources]) {
    const { outputText } = ts.transpileModule(readFileSync(join(ROOT, 'src', name), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(join(output, name.replace(/\.ts$/, '.js')), outputText);
  }
  const { NODE_OPTIONS: _, ...env } = process.env;
  return {
    run: async (script) => {
      const file = join(root, 'script.mjs');
      writeFileSync(file, script);
      // The shell makes pipes, as Kong does, where Node would make sockets, which cannot be opened as /dev/stdout.
      const command = '{ "$0" "$1" 2>&1 >&3 | cat >&2; } 3>&1 | cat';
      const args = ['-c', command, process.execPath, file];
      return promisify(execFile)('/bin/sh', args, { env, timeout: 100_000, maxBuffer: 1 << 26 });
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
