import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseCommandLine } from '../command-line.js';
import { packageFile } from '../dev/package-files.js';
import { pluginCatalog } from '../gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../gateway/config/parse.js';
import { formatProblem } from '../gateway/config/problems.js';
import { loadPlugins } from '../plugin/loader.js';

const USAGE = `Usage: kong-ts-pluginserver check [FILE] [options]

Validates a declarative config (default: kong.yml) as Kong 3.9 would, with the plugins' schemas, and compiles the
functions in it, running none of them. Each fault is a line "file:line:column: message"; the exit code is 1 when there
is any. What is not checked, or has no effect in the local gateway, is noted behind the faults.

  -d, --plugins-directory DIR   the plugins it may use (default: the bundled ones)
      --workers N               how many the plugin server runs (default: as kong.conf beside FILE says, or 1)
      --strict                  notes are faults
      --ignore-unknown          note unknown plugins and keys of the file instead of refusing them
      --json                    print {"problems": […], "notes": […]} instead
  -h, --help                    this text
`;

/**
 * `kong-ts-pluginserver check`.
 *
 * @returns the exit code: 0, 1 for a config with faults, 2 for a wrong command line or a file that cannot be read
 */
export async function run(argv: string[]): Promise<number> {
  let file = 'kong.yml';
  let directory = packageFile('plugins');
  let strict = false;
  let json = false;
  let ignoreUnknown = false;
  let workers: number | undefined;
  try {
    const { values, positionals } = parseCommandLine({
      args: argv,
      allowPositionals: true,
      options: {
        'plugins-directory': { type: 'string', short: 'd' },
        workers: { type: 'string' },
        strict: { type: 'boolean' },
        json: { type: 'boolean', default: false },
        'ignore-unknown': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    if (positionals.length > 1) throw new TypeError('one file at a time');
    if (values.workers !== undefined) {
      if (!/^[1-9]\d*$/.test(values.workers)) throw new TypeError('--workers must be a whole number above 0');
      workers = Number(values.workers);
    }
    json = values.json;
    ignoreUnknown = values['ignore-unknown'];
    strict = values.strict === true;
    file = positionals[0] ?? file;
    directory = values['plugins-directory'] ?? directory;
  } catch (error) {
    process.stderr.write(`kong-ts-pluginserver check: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    process.stderr.write(`kong-ts-pluginserver check: ${(error as Error).message}\n`);
    return 2;
  }
  const context = { workers: workers ?? workersOf(file) };
  const { plugins, failures } = await loadPlugins(directory);
  for (const failure of failures) process.stderr.write(`kong-ts-pluginserver check: ${failure.message}\n`);
  const { problems, notes } = parseDeclarativeConfig(text, file, pluginCatalog(plugins, context), {
    ignoreUnknown,
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
}

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
