import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readSourceGraph } from '../../src/dev/source-graph.js';
import { describeChanges, type FileChange, SourceWatcher } from '../../src/dev/watch.js';

let folder: string;
before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'watch-')));
});
after(() => rm(folder, { recursive: true }));

/** A watcher, and the changes that it has told since the last look. */
function watching(targets: ConstructorParameters<typeof SourceWatcher>[0]) {
  const told: FileChange[] = [];
  let wake = () => {};
  const watcher = new SourceWatcher(targets, (changes) => {
    told.push(...changes);
    wake();
  });
  return {
    watcher,
    /** Waits until a change of this file has been told, and forgets what was told. */
    async next(path: string): Promise<FileChange> {
      const deadline = AbortSignal.timeout(5000);
      for (;;) {
        const found = told.find((change) => change.path === path);
        if (found !== undefined) {
          told.length = 0;
          return found;
        }
        deadline.throwIfAborted();
        await new Promise<void>((resolve) => {
          wake = resolve;
          deadline.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    [Symbol.dispose]: () => watcher.close(),
  };
}

const git = (...args: string[]) =>
  execFileSync('git', ['-C', join(folder, 'repo'), '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    stdio: 'pipe',
  });

/** The ways in which editors, tools and git change a file, each of which must be noticed, twice. */
const WAYS: Record<string, (file: string, text: string) => Promise<unknown>> = {
  'in place': (file, text) => writeFile(file, text),
  'appended to': (file, text) => appendFile(file, text),
  'renamed over, as by vim, VS Code on remotes, and npm': async (file, text) => {
    await writeFile(`${file}.tmp.1`, text);
    await rename(`${file}.tmp.1`, file);
  },
  'moved away and written anew, as by vim with a backup': async (file, text) => {
    await rename(file, `${file}~`);
    await writeFile(file, text);
    await rm(`${file}~`);
  },
  'removed and written anew': async (file, text) => {
    await rm(file);
    await writeFile(file, text);
  },
  'of the same length': (file, text) => writeFile(file, text.replace(/./g, 'y')),
  'its folder removed and written anew': async (file, text) => {
    await rm(join(folder, 'plugins/deep'), { recursive: true });
    await mkdir(join(folder, 'plugins/deep/er'), { recursive: true });
    await writeFile(file, text);
  },
  'its folder moved away and another moved in': async (file, text) => {
    await mkdir(join(folder, 'next/er'), { recursive: true });
    await writeFile(join(folder, 'next/er/index.ts'), text);
    await rename(join(folder, 'plugins/deep'), join(folder, 'old'));
    await rename(join(folder, 'next'), join(folder, 'plugins/deep'));
    await rm(join(folder, 'old'), { recursive: true });
    assert.ok(file);
  },
  'the watched folder itself removed and written anew': async (file, text) => {
    await rm(join(folder, 'plugins'), { recursive: true });
    await mkdir(join(folder, 'plugins/deep/er'), { recursive: true });
    await writeFile(file, text);
  },
};

for (const [way, write] of Object.entries(WAYS)) {
  test(`a file is changed: ${way}`, async () => {
    await mkdir(join(folder, 'plugins/deep/er'), { recursive: true });
    const file = join(folder, 'plugins/deep/er/index.ts');
    await writeFile(file, 'one');
    using watched = watching({ folders: [join(folder, 'plugins')] });
    for (const text of ['first', 'second one']) {
      await write(file, text);
      assert.equal((await watched.next(file)).path, file);
    }
  });
}

test('git checkout between branches', async () => {
  await mkdir(join(folder, 'repo/plugins/only-here'), { recursive: true });
  const file = join(folder, 'repo/plugins/shared.ts');
  const extra = join(folder, 'repo/plugins/only-here/index.ts');
  execFileSync('git', ['init', '-q', join(folder, 'repo')]);
  await writeFile(file, 'on the first');
  git('add', '.');
  git('commit', '-qm', 'one');
  git('checkout', '-q', '-b', 'other');
  await writeFile(file, 'on the other');
  await writeFile(extra, 'here');
  git('add', '.');
  git('commit', '-qm', 'two');
  using watched = watching({ folders: [join(folder, 'repo/plugins')] });
  git('checkout', '-q', '-');
  assert.equal((await watched.next(file)).kind, 'changed');
  git('checkout', '-q', 'other');
  assert.equal((await watched.next(extra)).kind, 'added');
});

test('new folders, and files in them', async () => {
  const root = join(folder, 'growing');
  await mkdir(root);
  using watched = watching({ folders: [root] });
  await mkdir(join(root, 'a/b/c'), { recursive: true });
  await writeFile(join(root, 'a/b/c/index.ts'), 'x');
  assert.equal((await watched.next(join(root, 'a/b/c/index.ts'))).kind, 'added');
  await writeFile(join(root, 'a/b/c/index.ts'), 'changed');
  assert.equal((await watched.next(join(root, 'a/b/c/index.ts'))).kind, 'changed');
  await rm(join(root, 'a'), { recursive: true });
  assert.equal((await watched.next(join(root, 'a/b/c/index.ts'))).kind, 'removed');
});

test('a single file, also one that does not exist yet', async () => {
  const file = join(folder, 'single', 'kong.yml');
  using watched = watching({ files: [file] });
  await mkdir(join(folder, 'single'));
  await writeFile(file, 'a');
  assert.equal((await watched.next(file)).kind, 'added');
  await writeFile(join(folder, 'single', 'other'), 'not looked after');
  await writeFile(`${file}.new`, 'b');
  await rename(`${file}.new`, file);
  assert.equal((await watched.next(file)).kind, 'changed');
});

test('packages, hidden files and what editors leave are not looked after', async () => {
  const root = join(folder, 'noisy');
  await mkdir(join(root, 'node_modules/x'), { recursive: true });
  await mkdir(join(root, '.git'));
  using watched = watching({ folders: [root] });
  for (const name of ['node_modules/x/index.js', '.git/HEAD', '.index.ts.swp', 'index.ts~', '4913']) {
    await writeFile(join(root, name), 'x');
  }
  await writeFile(join(root, 'index.ts'), 'x');
  const changes: FileChange[] = [await watched.next(join(root, 'index.ts'))];
  assert.equal(
    describeChanges(changes, (path) => path.slice(root.length + 1)),
    'index.ts (added)',
  );
});

test('what plugins import from outside their folder is part of them', async () => {
  const root = join(folder, 'graph');
  await mkdir(join(root, 'plugins/a'), { recursive: true });
  await mkdir(join(root, 'lib/deep'), { recursive: true });
  await mkdir(join(root, 'packages/linked'), { recursive: true });
  await mkdir(join(root, 'node_modules/installed'), { recursive: true });
  await symlink(join(root, 'packages/linked'), join(root, 'node_modules/linked'));
  await writeFile(
    join(root, 'plugins/a/index.ts'),
    `import { one } from '../../lib/one.js';\nimport type { T } from "../../lib/types";\nimport 'linked/sub';\nimport 'installed';\nconst two = await import('../../lib/deep');\n`,
  );
  await writeFile(
    join(root, 'lib/one.ts'),
    `export * from './three.cjs'; export const one = process.env.SERVER_DB_HOST;`,
  );
  await writeFile(join(root, 'lib/types.d.ts'), '');
  await writeFile(join(root, 'lib/deep/index.mjs'), '');
  await writeFile(join(root, 'lib/three.cjs'), `module.exports = require('./data.json')`);
  await writeFile(join(root, 'lib/data.json'), '{}');
  await writeFile(join(root, 'lib/unused.ts'), '');
  const graph = readSourceGraph(join(root, 'plugins'));
  assert.deepEqual(graph.outside.map((path) => path.slice(root.length + 1)).sort(), [
    'lib/data.json',
    'lib/deep/index.mjs',
    'lib/one.ts',
    'lib/three.cjs',
  ]);
  assert.deepEqual(graph.linkedPackages, [join(root, 'packages/linked')]);
  assert.equal(graph.mentions('SERVER_DB_'), true);
  assert.equal(graph.mentions('no such text'), false);
});

test('what comes with another target is not a change, and what changed meanwhile is', async () => {
  const root = join(folder, 'targets');
  await mkdir(root);
  await writeFile(join(root, 'a'), '1');
  await writeFile(join(root, 'b'), '1');
  using watched = watching({ files: [join(root, 'a')] });
  await writeFile(join(root, 'a'), '2');
  watched.watcher.retarget({ files: [join(root, 'a'), join(root, 'b')] });
  assert.equal((await watched.next(join(root, 'a'))).kind, 'changed');
  await writeFile(join(root, 'b'), '2');
  assert.equal((await watched.next(join(root, 'b'))).kind, 'changed');
});
