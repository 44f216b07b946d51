import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { clientConfig, databaseSettings } from '../../../plugins/customer-verification/database/settings.js';
import { readEnvironment } from '../../../plugins/customer-verification/environment.js';

const folder = mkdtempSync(join(tmpdir(), 'environment-'));
after(() => rmSync(folder, { recursive: true }));

const minimal = { SERVER_DB_DATABASE: 'd', SERVER_DB_USER: 'u', SERVER_DB_HOST: 'h' };

describe('readEnvironment', () => {
  it('reads the file, and lets the environment win', () => {
    const file = join(folder, 'kong.env');
    writeFileSync(
      file,
      '# comment\nSERVER_DB_HOST=file-host\nSERVER_DB_USER="file user"\nexport SERVER_DB_PORT=1\n',
    );
    const { environment, warning } = readEnvironment({ KONG_TS_ENV_FILE: file, SERVER_DB_HOST: 'env-host' });
    assert.equal(warning, undefined);
    assert.equal(environment.SERVER_DB_HOST, 'env-host');
    assert.equal(environment.SERVER_DB_USER, 'file user');
    assert.equal(environment.SERVER_DB_PORT, '1');
    assert.equal(process.env.SERVER_DB_USER, undefined);
  });

  it('is quiet about an absent file', () => {
    assert.deepEqual(readEnvironment({ KONG_TS_ENV_FILE: join(folder, 'absent') }), {
      environment: { KONG_TS_ENV_FILE: join(folder, 'absent') },
    });
  });

  it('warns of a file that cannot be read', () => {
    const file = join(folder, 'directory');
    mkdirSync(file);
    assert.match(readEnvironment({ KONG_TS_ENV_FILE: file }).warning ?? '', /directory: EISDIR/);
  });

  it('prints nothing', () => {
    const module = join(import.meta.dirname, '../../../plugins/customer-verification/environment.ts');
    const script = `import { readEnvironment } from ${JSON.stringify(module)}; readEnvironment();`;
    const file = join(folder, 'printing.mjs');
    writeFileSync(file, script);
    const output = execFileSync(process.execPath, ['--import', 'tsx', file], {
      cwd: join(import.meta.dirname, '../../..'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal(output, '');
  });
});

describe('databaseSettings', () => {
  it('has defaults', () => {
    assert.deepEqual(databaseSettings(minimal), {
      database: 'd',
      user: 'u',
      host: 'h',
      password: undefined,
      port: 5432,
      sslMode: 'disable',
      sslRootCert: undefined,
      poolSize: 10,
      query: 'select uuid, authentication from customer where certificate = $1',
    });
  });

  const wrong: [Record<string, string>, RegExp][] = [
    [{ SERVER_DB_HOST: '' }, /SERVER_DB_HOST is not set/],
    [{ SERVER_DB_USER: '' }, /SERVER_DB_USER is not set/],
    [{ SERVER_DB_DATABASE: '' }, /SERVER_DB_DATABASE is not set/],
    [{ SERVER_DB_PORT: '0' }, /SERVER_DB_PORT/],
    [{ SERVER_DB_PORT: '65536' }, /SERVER_DB_PORT/],
    [{ SERVER_DB_PORT: '5432x' }, /SERVER_DB_PORT/],
    [{ SERVER_DB_POOL_SIZE: '-1' }, /SERVER_DB_POOL_SIZE/],
    [{ SERVER_DB_SSLMODE: 'prefer' }, /SERVER_DB_SSLMODE.*verify-full/],
    [{ SERVER_DB_QUERY: 'select 1' }, /SERVER_DB_QUERY.*\$1/],
  ];
  for (const [change, message] of wrong) {
    it(`names the variable: ${JSON.stringify(change)}`, () => {
      assert.throws(() => databaseSettings({ ...minimal, ...change }), message);
    });
  }

  it('never falls back on somebody’s PGPASSWORD', () => {
    assert.equal(clientConfig(databaseSettings(minimal), 'test').password, '');
  });

  it('names a file of certificate authorities that cannot be read', () => {
    const settings = databaseSettings({
      ...minimal,
      SERVER_DB_SSLMODE: 'verify-ca',
      SERVER_DB_SSLROOTCERT: '/absent.pem',
    });
    assert.throws(() => clientConfig(settings, 'test'), /SERVER_DB_SSLROOTCERT \/absent\.pem: ENOENT/);
  });
});
