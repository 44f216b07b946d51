import { readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { defineCommand } from '../command-line/command.js';
import { UsageError } from '../command-line/values.js';
import { packageFile } from '../dev/package-files.js';
import { configLines, pluginFiles, type ScaffoldFile } from '../scaffold/plugin.js';
import { projectFiles } from '../scaffold/project.js';
import { writeFiles } from '../scaffold/write-files.js';
import { packageVersion } from '../version.js';

export const command = defineCommand({
  program: 'kong-ts-pluginserver new',
  usage: 'kong-ts-pluginserver new NAME [options]\nkong-ts-pluginserver new --project DIR [NAME] [options]',
  about:
    'Writes a plugin with its test, ready to run, or a whole project with one. Files that exist are left alone.',
  words: 'NAME',
  flags: {
    '-d, --plugins-directory DIR': `where the plugin's folder is made (default: plugins, if there is such a folder, else .)`,
    '--project DIR':
      'a project: package.json, tsconfig.json, kong.yml, Dockerfile and a plugin (default: hello)',
    '--package SPEC': 'where the project gets kong-ts-pluginserver from (default: this version, from npm)',
  },
  async run({ project, ...values }, [name, ...others]) {
    const directory = values['plugins-directory'];
    if (others.length > 0) throw new UsageError('one plugin at a time');
    if (name !== undefined && !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name)) {
      throw new UsageError(`the name must be small letters, digits and single hyphens, not "${name}"`);
    }
    if (project !== undefined) {
      if (directory !== undefined)
        throw new UsageError('a project has its plugins in plugins/: leave --plugins-directory out');
      newProject(project, name ?? 'hello', values.package);
    } else {
      if (name === undefined) throw new UsageError('the name of the plugin is missing');
      newPlugin(name, directory);
    }
    return 0;
  },
});

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
