import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { PAGE_FILES, VENDOR_FILE, vendorSource } from '../src/inspector/assets.js';
import { LICENCES_FILE, thirdPartyLicences } from './third-party.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MODULE_URL = join(ROOT, 'build/module-url.ts');

/** What is started, imported from outside, or found by its name. All else goes into the chunks that these share. */
const ENTRIES = ['src/cli.ts', 'src/index.ts', 'src/testing/index.ts'];
const PLUGIN_ENTRY = /^([^/]+|[^/]+\/index|customer-verification\/client\/index)\.ts$/;
/** The Lua of the gateway's VM, read where it is used. */
const PRELUDE = 'src/gateway/lua/prelude.lua';
const THREAD_ENTRY = /\/thread\/main\.ts$/;

/** Packages of which little is used: bundled, they and what they depend on need not be installed in production. */
const BUNDLED = ['lru-cache', 'prom-client'];

/**
 * Bundles the package: a few files instead of some hundreds, which start in half the time.
 *
 * Plugins and worker threads stay files of their own and share the chunks of `kong-ts-pluginserver`, so that there is
 * one instance of each module. Packages from npm stay packages, but for the {@link BUNDLED} ones, whose licences are laid
 * beside. Source maps lie beside the files.
 *
 * @param outdir where `src/` and `plugins/` of the build go; chunks of an earlier one are removed
 */
export async function bundle(outdir: string): Promise<void> {
  rmSync(join(outdir, 'chunks'), { recursive: true, force: true });
  const plugins = readdirSync(join(ROOT, 'plugins'), { recursive: true, encoding: 'utf8' })
    .filter((path) => PLUGIN_ENTRY.test(path) || THREAD_ENTRY.test(path))
    .map((path) => `plugins/${path}`);
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRIES, ...plugins],
    outdir,
    outbase: '.',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !BUNDLED.includes(name)),
    metafile: true,
    alias: {
      'kong-ts-pluginserver': './src/index.ts',
      'kong-ts-pluginserver/testing': './src/testing/index.ts',
    },
    sourcemap: true,
    sourcesContent: false,
    keepNames: true,
    logLevel: 'warning',
    plugins: [ownUrls, requiredBuiltins],
  });
  writeFileSync(join(outdir, LICENCES_FILE), thirdPartyLicences(metafile));
  copyPage(join(outdir, 'src/inspector/page'));
  mkdirSync(join(outdir, 'src/gateway/lua'), { recursive: true });
  copyFileSync(join(ROOT, PRELUDE), join(outdir, PRELUDE));
}

/** The inspector's page, with the library that it uses beside it. */
function copyPage(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of PAGE_FILES) copyFileSync(join(ROOT, 'src/inspector/page', file), join(folder, file));
  copyFileSync(vendorSource(), join(folder, VENDOR_FILE));
}

/** `import.meta.url` names the place that a module would have if it were not bundled. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup(context) {
    context.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path === MODULE_URL) return undefined;
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.')) return undefined;
      const own = JSON.stringify(relative(ROOT, path).replace(/ts$/, 'js'));
      // On the first line, so that lines keep their numbers.
      const head = `import { moduleUrl as __moduleUrl } from ${JSON.stringify(MODULE_URL)};`;
      const shebang = /^#!.*/.exec(source)?.[0] ?? '';
      const body = source.slice(shebang.length).replaceAll('import.meta.url', `__moduleUrl(${own})`);
      return { contents: `${shebang === '' ? head : `${shebang}\n${head}`}${body}`, loader: 'ts' };
    });
  },
};

/** What a CommonJS package requires of Node is imported: there is no `require` in a bundle of ES modules. */
const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup(context) {
    context.onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) =>
      kind === 'require-call' && isBuiltin(path) ? { path, namespace: 'required' } : undefined,
    );
    context.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `export * from ${JSON.stringify(path)};`,
    }));
  },
};
