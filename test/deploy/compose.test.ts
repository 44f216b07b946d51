import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { settings } from '../support/settings.js';

// What compose itself makes of the files, the variable that a team sets included. It needs no container engine for that.

const ROOT = join(import.meta.dirname, '../..');

interface Service {
  readonly environment?: Record<string, string>;
  readonly volumes?: readonly (string | { source: string; target: string })[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Record<string, { condition: string }>;
}

function compose(file: string, env: Record<string, string>): Record<string, Service> {
  const { status, stdout, stderr } = spawnSync('docker-compose', ['-f', file, 'config'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  assert.equal(status, 0, stderr);
  return parseYaml(stdout).services;
}

const installed = spawnSync('docker-compose', ['version'], { stdio: 'ignore' }).error === undefined;

describe('compose', { skip: installed ? false : 'left out: docker-compose is not installed' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-compose-'));
  after(() => rmSync(folder, { recursive: true }));
  const own = join(folder, 'own.env');
  writeFileSync(own, 'POSTGRES_USER=jo\nSERVER_DB_USER=jo\nSERVER_DB_PASSWORD=of-the-file\n');

  const mountedAt = ({ volumes = [] }: Service, target: string) =>
    volumes
      .map((volume) => (typeof volume === 'string' ? volume.split(':') : [volume.source, volume.target]))
      .find(([, at]) => at === target)?.[0];

  for (const [what, file, env] of [
    ['the example', join(ROOT, 'kong.env.example'), {}],
    ['an absolute KONG_ENV_FILE', own, { KONG_ENV_FILE: own }],
  ] as const) {
    it(`docker-compose.yml with ${what}: Kong and PostgreSQL read the same file`, () => {
      const { kong = {}, postgres } = compose('docker-compose.yml', env);
      assert.equal(mountedAt(kong, '/usr/local/kong/kong.env'), file);
      assert.equal(postgres?.environment?.POSTGRES_USER, file === own ? 'jo' : 'kong');
    });

    it(`docker-compose.sidecar.yml with ${what}: the server has its variables, and Kong none`, () => {
      const { kong, verification, postgres } = compose('docker-compose.sidecar.yml', env);
      const password = file === own ? 'of-the-file' : 'change-me';
      assert.equal(verification?.environment?.SERVER_DB_PASSWORD, password);
      assert.equal(postgres?.environment?.POSTGRES_USER, file === own ? 'jo' : 'kong');
      assert.equal(kong?.environment?.SERVER_DB_PASSWORD, undefined);
    });
  }

  it('nobody is healthy before the plugin servers answer', () => {
    const one = compose('docker-compose.yml', {}).kong?.healthcheck?.test.join(' ') ?? '';
    const conf = settings(readFileSync(join(ROOT, 'kong.conf'), 'utf8'));
    const sockets = new Set([...conf].filter(([key]) => key.endsWith('_socket')).map(([, socket]) => socket));
    assert.ok(sockets.size > 0);
    for (const socket of sockets)
      assert.ok(one.includes(`kong-ts-pluginserver health --socket ${socket}`), socket);
    const { kong } = compose('docker-compose.sidecar.yml', {});
    assert.equal(kong?.depends_on?.verification?.condition, 'service_healthy');
    assert.equal(kong?.depends_on?.functions?.condition, 'service_healthy');
  });
});
