import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { Postgres } from '../../src/dev/postgres.js';
import { startPostgres } from '../support/postgres.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.dispose());

async function countCustomers(): Promise<number> {
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result = await client.query<{ n: number }>('select count(*)::int as n from customer');
    return result.rows[0]?.n ?? -1;
  } finally {
    await client.end();
  }
}

test('has the schema', async () => {
  assert.equal(await countCustomers(), 0);
});

test('refuses a wrong password', async () => {
  const client = new pg.Client({ connectionString: postgres.url.replace(postgres.password, 'wrong') });
  await assert.rejects(client.connect(), /password authentication failed/);
});

test('stops and starts on the same port with its data', async () => {
  await postgres.stop();
  assert.equal(postgres.running, false);
  await assert.rejects(countCustomers(), { code: 'ECONNREFUSED' });
  await postgres.start();
  assert.equal(await countCustomers(), 0);
});

test('a paused server answers nothing until it is resumed', async () => {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await postgres.pause();
  let answered = false;
  const query = client.query('select 1').then(() => {
    answered = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(answered, false);
  await postgres.resume();
  await query;
  client.end();
  await once(client, 'end');
});

test('dispose leaves no folder and no process behind', async () => {
  const second = await startPostgres();
  const pid = await postmasterPid(second.dataFolder);
  await second.dispose();
  assert.equal(existsSync(dirname(second.dataFolder)), false);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('a killed owner leaves no folder and no process behind', async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(import.meta.resolve('../support/postgres.ts'))};
    console.log((await startPostgres()).dataFolder);
  `;
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = await once(owner.stdout, 'data');
  const folder = String(chunk).trim();
  const pid = await postmasterPid(folder);
  owner.kill('SIGKILL');
  await eventually(() => !existsSync(dirname(folder)));
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

async function postmasterPid(dataFolder: string): Promise<number> {
  return Number.parseInt(await readFile(join(dataFolder, 'postmaster.pid'), 'utf8'), 10);
}

async function eventually(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'the condition did not come true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
