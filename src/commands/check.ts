import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
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
      --workers N               how many the plugin server runs (default: 1); the memory of one is not another's
      --strict                  notes are faults
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
  let workers = 1;
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        'plugins-directory': { type: 'string', short: 'd' },
        workers: { type: 'string', default: '1' },
        strict: { type: 'boolean' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    if (positionals.length > 1) throw new TypeError('one file at a time');
    if (!/^[1-9]\d*$/.test(values.workers)) throw new TypeError('--workers must be a whole number above 0');
    workers = Number(values.workers);
    json = values.json;
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
  const { plugins, failures } = await loadPlugins(directory);
  for (const failure of failures) process.stderr.write(`kong-ts-pluginserver check: ${failure.message}\n`);
  const { problems, notes } = parseDeclarativeConfig(text, file, pluginCatalog(plugins, { workers }));
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
