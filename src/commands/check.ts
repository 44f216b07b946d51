import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defineCommand } from '../command-line/command.js';
import { UsageError, wholeNumber } from '../command-line/values.js';
import { packageFile } from '../dev/package-files.js';
import { pluginCatalog } from '../gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../gateway/config/parse.js';
import { formatProblem } from '../gateway/config/problems.js';
import { loadPlugins } from '../plugin/loader.js';
import { MAX_WORKERS } from '../server/workers/messages.js';

export const command = defineCommand({
  program: 'kong-ts-pluginserver check',
  usage: 'kong-ts-pluginserver check [FILE] [options]',
  about: `
Validates a declarative config (default: kong.yml) as Kong 3.9 would, with the plugins' schemas, and compiles the
functions in it, running none of them. Each fault is a line "file:line:column: message"; the exit code is 1 when there
is any. What is not checked, or has no effect in the local gateway, is noted behind the faults.`,
  words: 'FILE',
  flags: {
    '-d, --plugins-directory DIR': 'the plugins it may use (default: the bundled ones)',
    '--workers N': 'how many the plugin server runs (default: as kong.conf beside FILE says, or 1)',
    '--strict': 'notes are faults',
    '--ignore-unknown': 'note unknown plugins and keys of the file instead of refusing them',
    '--json': 'print {"problems": […], "notes": […]} instead',
  },
  async run({ workers, strict, json, ...values }, [file = 'kong.yml', ...others]) {
    if (others.length > 0) throw new UsageError('one file at a time');
    const context = {
      workers: workers === undefined ? workersOf(file) : wholeNumber('--workers', workers, 1, MAX_WORKERS),
    };
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      process.stderr.write(`kong-ts-pluginserver check: ${(error as Error).message}\n`);
      return 2;
    }
    const directory = values['plugins-directory'] ?? packageFile('plugins');
    const { plugins, failures } = await loadPlugins(directory);
    for (const failure of failures) process.stderr.write(`kong-ts-pluginserver check: ${failure.message}\n`);
    const { problems, notes } = parseDeclarativeConfig(text, file, pluginCatalog(plugins, context), {
      ignoreUnknown: values['ignore-unknown'],
    });
    if (json) {
      process.stdout.write(`${JSON.stringify({ problems, notes })}\n`);
      return problems.length > 0 || failures.length > 0 ? 1 : 0;
    }
    for (const problem of problems) process.stdout.write(`${formatProblem(problem)}\n`);
    for (const note of notes) process.stdout.write(`${formatProblem(note)} (note)\n`);
    const faulty = problems.length > 0 || (strict && notes.length > 0);
    if (!faulty) process.stdout.write(`${file}: no faults\n`);
    return faulty || failures.length > 0 ? 1 : 0;
  },
});

/** The most workers that a start_cmd in the kong.conf beside a declarative config asks for; 1 without such a file. */
function workersOf(file: string): number {
  let text: string;
  try {
    text = readFileSync(join(dirname(file), 'kong.conf'), 'utf8');
  } catch {
    // Most configurations are checked where there is none.
    return 1;
  }
  const asked = [...text.matchAll(/^\s*pluginserver_\w+_start_cmd\s*=.*--workers[ =](\d+)/gm)];
  return Math.max(1, ...asked.map(([, count]) => Number(count)));
}
