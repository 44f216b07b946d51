import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FIXTURES = fileURLToPath(new URL('../fixtures/plugins', import.meta.url));

/** A copy of the fixture plugins outside this package, where no package.json of ours governs them. */
export function copyFixtures(): { folder: (name: string) => string; remove: () => void } {
  const copy = mkdtempSync(join(tmpdir(), 'kong-plugins-'));
  cpSync(FIXTURES, copy, { recursive: true });
  return { folder: (name) => join(copy, name), remove: () => rmSync(copy, { recursive: true, force: true }) };
}
