import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { LICENCES_FILE, packagesIn } from './third-party.js';

/**
 * `npm audit --json | node --import tsx build/audit.ts`: fails when an advisory is about what production has, be it
 * installed or bundled. npm itself cannot tell a bundled package from one that only builds or tests.
 */
const fromRoot = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

interface Report {
  readonly message?: string;
  readonly vulnerabilities?: Record<string, { readonly severity: string; readonly nodes: readonly string[] }>;
}

const { packages } = JSON.parse(fromRoot('package-lock.json')) as {
  packages: Record<string, { dev?: boolean }>;
};
const bundled = packagesIn(fromRoot(`dist/${LICENCES_FILE}`));
const { vulnerabilities, message } = JSON.parse(await text(process.stdin)) as Report;

if (vulnerabilities === undefined)
  process.stdout.write(`the advisories could not be asked for: ${message}\n`);
for (const [name, { severity, nodes }] of Object.entries(vulnerabilities ?? {})) {
  if (!bundled.includes(name) && nodes.every((path) => packages[path]?.dev === true)) continue;
  process.stdout.write(`${name}: ${severity}, see npm audit\n`);
  process.exitCode = 1;
}
