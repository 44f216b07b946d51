import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Metafile } from 'esbuild';
import { vendorSource } from '../src/inspector/assets.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The file in the build that has the licences of what was bundled into it. */
export const LICENCES_FILE = 'THIRD-PARTY-LICENSES.txt';

const HEAD = /^={3} (\S+) \S+ \(.*\) ={3}$/gm;

/** Names of the packages whose licences a {@link LICENCES_FILE} has. */
export function packagesIn(licences: string): string[] {
  return [...licences.matchAll(HEAD)].map(([, name]) => name as string);
}

/**
 * The licences of all packages that a bundle has code of, in their own words.
 *
 * @throws Error naming a package without a licence file: what may not be passed on is not bundled
 */
export function thirdPartyLicences({ inputs }: Metafile): string {
  // The page's library has preact's code in it, and the licence of htm beside it.
  const paths = [...Object.keys(inputs), vendorSource(), 'node_modules/preact'];
  const folders = paths.flatMap((path) => /.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders.map((folder) => resolve(ROOT, folder)))]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} has no licence file`);
      const text = readFileSync(join(folder, file), 'utf8').trim();
      return `=== ${name} ${version} (${license}) ===\n\n${text}\n`;
    })
    .join('\n');
}
