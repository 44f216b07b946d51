import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { withNewKey } from '../../plugins/customer-verification/customers/rotation.js';
import { command } from '../../src/commands/customers.js';
import type { Postgres } from '../../src/dev/postgres.js';
import { captureOutput } from '../support/captured-output.js';
import { startPostgres } from '../support/postgres.js';

const customers = (...argv: string[]) =>
  captureOutput(() => command.run([...argv, '--env-file=/nonexistent']));

describe('customers', () => {
  let postgres: Postgres;
  let db: pg.Client;
  before(async () => {
    postgres = await startPostgres();
    Object.assign(process.env, postgres.env);
    db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
  });
  after(async () => {
    await db?.end();
    await postgres?.dispose();
  });
  const authentication = async (id: string) =>
    (await db.query('select authentication from customer where certificate = $1', [id])).rows[0]
      ?.authentication;

  it('adds a customer and shows the key that is in the table', async () => {
    const uuid = '44444444-4444-4444-8444-444444444444';
    const { code, stdout, stderr } = await customers('add', 'shop 1', '--uuid', uuid);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const key = /^key +([\w-]{43})$/m.exec(stdout)?.[1];
    assert.match(stdout, new RegExp(`^uuid +${uuid}$`, 'm'));
    assert.match(stdout, /^certificate id +shop 1$/m);
    assert.deepEqual(await authentication('shop 1'), { client_key: key });
  });

  it('makes up what it is not given, differently each time, and prints JSON', async () => {
    const outputs = [await customers('add', '--json'), await customers('add', '--json')];
    const [one, two] = outputs.map(({ stdout }) => JSON.parse(stdout));
    assert.deepEqual(Object.keys(one), ['uuid', 'certificate_id', 'key']);
    for (const field of Object.keys(one)) assert.notEqual(one[field], two[field]);
    await db.query('delete from customer where certificate = any($1)', [
      [one.certificate_id, two.certificate_id],
    ]);
  });

  it('rotates a key and keeps the old one for the overlap', async () => {
    const added = JSON.parse((await customers('add', 'shop 2', '--json')).stdout);
    const before = Date.now();
    const { code, stdout } = await customers('rotate', 'shop 2', '--overlap', '60', '--json');
    assert.equal(code, 0);
    const rotated = JSON.parse(stdout);
    assert.notEqual(rotated.key, added.key);
    const { client_key, client_keys } = await authentication('shop 2');
    assert.equal(client_key, undefined);
    assert.equal(client_keys.length, 2);
    assert.equal(client_keys[0].key, added.key);
    const end = Date.parse(client_keys[0].not_after);
    assert.ok(end >= before + 60_000 && end <= Date.now() + 60_000);
    assert.equal(client_keys[1].key, rotated.key);
    assert.equal(client_keys[1].not_after, undefined);
  });

  it('rotates without an overlap', async () => {
    await customers('add', 'shop 3');
    const { key } = JSON.parse((await customers('rotate', 'shop 3', '--overlap=0', '--json')).stdout);
    const { client_keys } = await authentication('shop 3');
    assert.deepEqual(
      client_keys.map((one: { key: string }) => one.key),
      [key],
    );
  });

  it('revokes a customer, who then gets no new key', async () => {
    await customers('add', 'shop 4');
    assert.equal((await customers('revoke', 'shop 4')).code, 0);
    assert.equal((await authentication('shop 4')).revoked, true);
    const { code, stderr, stdout } = await customers('rotate', 'shop 4');
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /revoked/);
  });

  it('lists customers, and never a key', async () => {
    await db.query(
      `insert into customer (certificate, authentication) values ('wrong', '{"client_key": ""}')`,
    );
    const keys: string[] = [];
    const { rows } = await db.query('select authentication from customer');
    for (const { authentication } of rows) {
      for (const { key } of [{ key: authentication.client_key }, ...(authentication.client_keys ?? [])])
        keys.push(key);
    }
    const json = await customers('list', '--json');
    const listed = JSON.parse(json.stdout);
    assert.deepEqual(
      listed.map((one: { certificate_id: string; status: string }) => `${one.certificate_id}: ${one.status}`),
      ['shop 1: active', 'shop 2: active', 'shop 3: active', 'shop 4: revoked', 'wrong: malformed'],
    );
    const text = await customers('list');
    assert.match(text.stdout, /active +2 keys \(one until \d{4}-.*\) +shop 2/);
    assert.match(text.stderr, /5 customers/);
    assert.ok(keys.length >= 5);
    for (const key of keys.filter(Boolean))
      assert.ok(!json.stdout.includes(key) && !text.stdout.includes(key));
  });

  it('lists more than a page, and nothing', async () => {
    await db.query('delete from customer');
    assert.equal((await customers('list', '--json')).stdout, '[]\n');
    await db.query(`insert into customer (certificate, authentication)
      select 'c' || n, '{"client_key": "k"}' from generate_series(1, 2500) n`);
    const listed = JSON.parse((await customers('list', '--json')).stdout) as { certificate_id: string }[];
    assert.equal(new Set(listed.map(({ certificate_id }) => certificate_id)).size, 2500);
  });

  const mistakes: [string[], number, RegExp][] = [
    [[], 2, /command is missing/],
    [['remove'], 2, /unknown command remove/],
    [['rotate'], 2, /certificate id/],
    [['revoke', ''], 2, /empty/],
    [['list', 'x'], 2, /too many/],
    [['add', 'x', '--uuid=1'], 2, /--uuid/],
    [['rotate', 'x', '--overlap=-1'], 2, /overlap/],
    [['add', '--overlap=1'], 2, /overlap/],
    [['add', '--nonsense'], 2, /nonsense/],
    [['rotate', 'nobody'], 1, /no customer/],
    [['revoke', 'nobody'], 1, /no customer/],
    [['add', 'c1'], 1, /already/],
  ];
  for (const [argv, expected, message] of mistakes) {
    it(`explains itself: customers ${argv.join(' ')}`, async () => {
      const { code, stdout, stderr } = await customers(...argv);
      assert.equal(code, expected);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    });
  }

  it('says why the database cannot be reached, without the password', async () => {
    const { SERVER_DB_PORT } = process.env;
    process.env.SERVER_DB_PORT = '1';
    const { code, stderr } = await customers('list');
    process.env.SERVER_DB_PORT = SERVER_DB_PORT;
    assert.equal(code, 1);
    assert.match(stderr, /ECONNREFUSED/);
    assert.ok(!stderr.includes(postgres.password));
  });
});

describe('withNewKey', () => {
  it('drops what has ended, shortens what lasts longer, keeps what ends sooner and what it does not know', () => {
    const now = Date.UTC(2026, 0, 1);
    const at = (offset: number) => new Date(now + offset).toISOString();
    const rotated = withNewKey(
      {
        note: 'kept',
        client_key: 'first',
        client_keys: [
          { key: 'ended', not_after: at(-1) },
          { key: 'sooner', not_after: at(10) },
          { key: 'longer', not_before: at(-5), not_after: at(99) },
        ],
      },
      'new',
      now,
      50,
    );
    assert.deepEqual(rotated, {
      note: 'kept',
      client_keys: [
        { key: 'first', not_after: at(50) },
        { key: 'sooner', not_after: at(10) },
        { key: 'longer', not_before: at(-5), not_after: at(50) },
        { key: 'new' },
      ],
    });
  });
});
