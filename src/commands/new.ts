import { readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { parseCommandLine } from '../command-line.js';
import { packageFile } from '../dev/package-files.js';
import { PluginServerError } from '../errors.js';
import { configLines, pluginFiles, type ScaffoldFile } from '../scaffold/plugin.js';
import { projectFiles } from '../scaffold/project.js';
import { writeFiles } from '../scaffold/write-files.js';
import { packageVersion } from '../version.js';

const USAGE = `Usage: kong-ts-pluginserver new NAME [options]
       kong-ts-pluginserver new --project DIR [NAME] [options]

Writes a plugin with its test, ready to run, or a whole project with one. Files that exist are left alone.

  -d, --plugins-directory DIR  where the plugin's folder is made (default: plugins, if there is such a folder, else .)
      --project DIR            a project: package.json, tsconfig.json, kong.yml, Dockerfile and a plugin (default: hello)
      --package SPEC           where the project gets kong-ts-pluginserver from (default: this version, from npm)
  -h, --help                   this text
`;

/**
 * `kong-ts-pluginserver new`.
 *
 * @returns the exit code: 0, 1 where files exist, 2 for a wrong command line
 */
export async function run(argv: string[]): Promise<number> {
  let values: ReturnType<typeof parse>['values'];
  let name: string | undefined;
  try {
    const parsed = parse(argv);
    values = parsed.values;
    name = parsed.positionals[0];
    if (parsed.positionals.length > 1) throw new TypeError('one plugin at a time');
    if (values.help !== true && values.project === undefined && name === undefined) {
      throw new TypeError('the name of the plugin is missing');
    }
    if (values.project !== undefined && values['plugins-directory'] !== undefined) {
      throw new TypeError('a project has its plugins in plugins/: leave --plugins-directory out');
    }
    if (name !== undefined && !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name)) {
      throw new TypeError(`the name must be small letters, digits and single hyphens, not "${name}"`);
    }
  } catch (error) {
    process.stderr.write(`kong-ts-pluginserver new: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    if (values.project !== undefined) newProject(values.project, name ?? 'hello', values.package);
    else newPlugin(name as string, values['plugins-directory']);
    return 0;
  } catch (error) {
    if (!(error instanceof PluginServerError)) throw error;
    process.stderr.write(`kong-ts-pluginserver new: ${error.message}\n`);
    return 1;
  }
}

function parse(argv: string[]) {
  return parseCommandLine({
    args: argv,
    allowPositionals: true,
    options: {
      'plugins-directory': { type: 'string', short: 'd' },
      project: { type: 'string' },
      package: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

function newPlugin(name: string, directory: string | undefined): void {
  const folder = directory ?? (isFolder('plugins') ? 'plugins' : '.');
  const files = pluginFiles(name);
  writeFiles(folder, files);
  sayWritten(folder, files);
  say('');
  say('In kong.yml:');
  say('');
  say(configLines(name).trimEnd());
  say('');
  say(`Test it:  node --import tsx --test ${join(folder, name, 'index.test.ts')}`);
  say(`Try it:   npx kong-ts-pluginserver dev -d ${folder} --config kong.yml`);
}

function newProject(directory: string, plugin: string, packageSpec: string | undefined): void {
  const name = basename(resolve(directory))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '');
  const files = projectFiles({
    name: name === '' ? 'kong-plugins' : name,
    plugin,
    packageSpec: packageSpec ?? packageVersion(),
    tools: toolVersions(),
  });
  writeFiles(directory, files);
  sayWritten(directory, files);
  const there = relative('.', directory);
  say('');
  say(`${there === '' ? '' : `cd ${there} && `}npm install && npm test && npm start`);
}

/** The versions that this package itself is developed with. */
function toolVersions(): Record<'@types/node' | 'tsx' | 'typescript', string> {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const version = (name: string) => devDependencies[name] ?? dependencies[name] ?? '*';
  return { '@types/node': version('@types/node'), tsx: version('tsx'), typescript: version('typescript') };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function sayWritten(folder: string, files: readonly ScaffoldFile[]): void {
  for (const { path } of files) say(`wrote ${join(folder, path)}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
