import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import {
  type SigningOptions,
  signatureHeaders,
} from '../../../plugins/customer-verification/client/index.js';
import type { Postgres } from '../../../src/dev/postgres.js';
import { startPostgres } from '../../support/postgres.js';
import { type GatewayRig, headerValues, signed, startGateway } from './rig.js';

const ALICE = '11111111-1111-4111-8111-111111111111';
const BOB = '22222222-2222-4222-8222-222222222222';
const CAROL = '33333333-3333-4333-8333-333333333333';

const ROUTES = {
  default: {},
  everything: { algorithm: 'hmac-sha256', bind: ['method', 'path', 'query', 'body'] },
  plainbind: { bind: ['path'] },
  querybind: { bind: ['query'] },
  pathbind: { bind: ['method', 'path', 'query'] },
  hmac: { algorithm: 'hmac-sha256' },
  hmacbind: { algorithm: 'hmac-sha256', bind: ['path'] },
  fresh: { clock_skew: 30 },
  once: { clock_skew: 30, replay_protection: true },
  once_elsewhere: { clock_skew: 300, replay_protection: true },
  renamed: {
    certificate_header: 'X-Id',
    signature_header: 'X-Signature',
    time_header: 'X-Time',
    hide_credentials: true,
  },
  consumer: { consumer: 'custom_id' },
};

describe('customer-verification through the local gateway', () => {
  let postgres: Postgres;
  let db: pg.Client;
  let gateway: GatewayRig;

  const add = (uuid: string | null, certificate: string, authentication: unknown) =>
    db.query(
      'insert into customer (uuid, certificate, authentication) values (coalesce($1, gen_random_uuid()), $2, $3)',
      [uuid, certificate, JSON.stringify(authentication)],
    );
  const sign = async (options: SigningOptions, parts = {}) =>
    Object.entries(await signatureHeaders(options, parts)) as [string, string][];

  before(async () => {
    postgres = await startPostgres();
    Object.assign(process.env, postgres.env, { KONG_TS_ENV_FILE: '/nonexistent' });
    db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
    await add(ALICE, 'alice', { client_key: 'alice-key' });
    await add(BOB, 'bob', { client_key: 'bob-key' });
    await add(CAROL, 'carol', { client_key: 'carol-key' });
    await add(null, 'pipe|d', { client_key: 'k' });
    await add(null, 'gone', { client_key: 'k', revoked: true });
    await add(null, 'broken', { client_key: '' });
    await add(null, 'rotating', {
      client_keys: [
        { key: 'past', not_after: '2020-01-01T00:00:00Z' },
        { key: 'present', not_before: '2020-01-01T00:00:00Z', not_after: '2999-01-01T00:00:00Z' },
        { key: 'next', not_before: 1_700_000_000 },
        { key: 'future', not_before: '2999-01-01T00:00:00Z' },
      ],
    });
    await add(null, 'expired', { client_keys: [{ key: 'past', not_after: '2020-01-01T00:00:00Z' }] });
    const consumers = [
      { id: ALICE, username: 'alice', custom_id: ALICE },
      { username: BOB, custom_id: 'somebody else' },
    ];
    gateway = await startGateway(ROUTES, { entities: { consumers } });
  });
  after(async () => {
    await gateway?.close();
    await db?.end();
    await postgres?.dispose();
  });

  it('lets a good signature through and tells the upstream who it is', async () => {
    const { status, upstream } = await gateway.send('/default/a?b=c', signed('alice', 'alice-key'));
    assert.equal(status, 200);
    assert.equal(upstream?.path, '/default/a?b=c');
    assert.deepEqual(headerValues(upstream, 'x-customer-id'), [ALICE]);
    assert.deepEqual(headerValues(upstream, 'client-certificate-id'), ['alice']);
  });

  it('never lets a client name the customer', async () => {
    const forged: [string, string][] = [
      ['X-Customer-Id', BOB],
      ['x-customer-id', BOB],
      ['X_Customer_Id', BOB],
      ['x-customer_id', BOB],
    ];
    const { status, upstream } = await gateway.send('/default', [...forged, ...signed('alice', 'alice-key')]);
    assert.equal(status, 200);
    const names = upstream?.headerLines.filter(([name]) => /^x[-_]customer[-_]id$/i.test(name));
    assert.deepEqual(
      names?.map(([, value]) => value),
      [ALICE],
    );
  });

  it('refuses a request whose Connection header would remove the customer: 400', async () => {
    const named: [string, string][][] = [
      [['Connection', 'X-Customer-Id']],
      [['Connection', 'keep-alive, x-customer-id']],
      [
        ['Connection', 'Upgrade, X-CUSTOMER-ID'],
        ['Upgrade', 'websocket'],
      ],
      [
        ['Connection', 'keep-alive'],
        ['Connection', 'x-customer-id'],
      ],
    ];
    for (const headers of named) {
      const { status, upstream } = await gateway.send('/default', [
        ...headers,
        ['X-Customer-Id', BOB],
        ...signed('alice', 'alice-key'),
      ]);
      assert.deepEqual([status, upstream], [400, undefined], JSON.stringify(headers));
    }
    const consumer: [string, string][] = [
      ['Connection', 'te, X-Consumer-Username'],
      ...signed('alice', 'alice-key'),
    ];
    assert.equal((await gateway.send('/consumer', consumer)).status, 400);
    assert.equal((await gateway.send('/default', consumer)).status, 200);
  });

  it('refuses whatever is not the signature: 403 Access Forbidden', async () => {
    const [id, signature, time] = signed('alice', 'alice-key') as [
      [string, string],
      [string, string],
      [string, string],
    ];
    const wrong: [string, [string, string][]][] = [
      ['another key', signed('alice', 'bob-key')],
      ['an unknown customer', signed('nobody', 'alice-key')],
      ["another customer's signature", [['client-certificate-id', 'bob'], signature, time]],
      ['another time', [id, signature, ['client-request-time', '1700000001']]],
      ['upper case', [id, [signature[0], signature[1].toUpperCase()], time]],
      ['half of it', [id, [signature[0], signature[1].slice(0, 32)], time]],
      ['a revoked customer', signed('gone', 'k')],
      ['a malformed customer', signed('broken', '')],
      ['no valid key', signed('expired', 'past')],
      ['SQL', signed("' or 1=1 --", 'alice-key')],
      ['more SQL', signed("alice'; drop table customer; --", 'alice-key')],
    ];
    for (const [what, headers] of wrong) {
      const { status, body, upstream } = await gateway.send('/default', headers);
      assert.equal(status, 403, what);
      assert.equal(body, '{"message":"Access Forbidden"}', what);
      assert.equal(upstream, undefined, what);
    }
    const { rows } = await db.query('select count(*)::int as customers from customer');
    assert.deepEqual(rows, [{ customers: 8 }]);
  });

  it('refuses a header that is missing, empty or repeated: 400 Invalid Headers', async () => {
    const good = signed('alice', 'alice-key');
    for (const [index, [name, value]] of good.entries()) {
      const others = good.filter((_, other) => other !== index);
      const wrong: [string, string][][] = [
        others,
        [...others, [name, '']],
        [...good, [name, value]],
        [...others, [name.replaceAll('-', '_'), value]],
      ];
      for (const headers of wrong) {
        const { status, body } = await gateway.send('/default', headers);
        assert.equal(status, 400, JSON.stringify(headers));
        assert.equal(body, '{"message":"Invalid Headers"}');
      }
    }
  });

  it('does not lose a repeated header among many others', async () => {
    const many = Array.from({ length: 150 }, (_, i): [string, string] => [`x-filler-${i}`, '1']);
    const good = signed('alice', 'alice-key');
    assert.equal((await gateway.send('/default', [...many, ...good])).status, 200);
    assert.equal(
      (await gateway.send('/default', [...good, ...many, ['client-certificate-id', 'bob']])).status,
      400,
    );
  });

  it('takes every key that is valid now', async () => {
    for (const [key, status] of [
      ['present', 200],
      ['next', 200],
      ['past', 403],
      ['future', 403],
    ] as const) {
      assert.equal((await gateway.send('/default', signed('rotating', key))).status, status, key);
    }
  });

  it('says in the gateway’s log what was refused, once, and without secrets', async () => {
    const before = gateway.log.length;
    for (let i = 0; i < 50; i += 1) await gateway.send('/default', signed('alice', `guess ${i}`));
    assert.ok(gateway.log.length - before <= 1);
    const text = gateway.log.join('\n');
    assert.match(text, /refused certificate "alice": bad signature/);
    assert.match(text, /the customer row of "broken": client_key/);
    assert.doesNotMatch(text, /alice-key|bob-key|guess/);
    for (const secret of [postgres.password, signed('alice', 'bob-key')[1]?.[1]])
      assert.ok(!text.includes(String(secret)));
  });

  describe('bind', () => {
    const options = { certificateId: 'alice', key: 'alice-key', algorithm: 'hmac-sha256' } as const;
    const bind = ['method', 'path', 'query', 'body'] as const;
    const request = { method: 'POST', path: '/everything/a%20b', query: 'x=1&y=a|b', body: '{"n":1}' };

    it('accepts the request that was signed', async () => {
      const headers = await sign({ ...options, bind }, request);
      const { status, upstream } = await gateway.send(`${request.path}?${request.query}`, headers, request);
      assert.equal(status, 200);
      assert.equal(upstream?.body, request.body);
    });

    it('accepts no body and no query', async () => {
      const headers = await sign({ ...options, bind }, { method: 'GET', path: '/everything', query: '' });
      assert.equal((await gateway.send('/everything', headers)).status, 200);
    });

    it('accepts a body larger than the gateway keeps in memory', async () => {
      const body = 'x'.repeat(300_000);
      const headers = await sign({ ...options, bind }, { ...request, body });
      const { status } = await gateway.send(`${request.path}?${request.query}`, headers, {
        method: 'POST',
        body,
      });
      assert.equal(status, 200);
    });

    it('refuses the signature on any other request', async () => {
      const headers = await sign({ ...options, bind }, request);
      const target = `${request.path}?${request.query}`;
      const others: [string, { method: string; body: string }][] = [
        [target, { method: 'PUT', body: request.body }],
        [target, { method: 'POST', body: '{"n":2}' }],
        [target, { method: 'POST', body: '' }],
        [`${target}&z`, { method: 'POST', body: request.body }],
        [request.path, { method: 'POST', body: request.body }],
        [`/everything/a%20c?${request.query}`, { method: 'POST', body: request.body }],
        [`/everything/x/../a%20b?${request.query}`, { method: 'POST', body: request.body }],
        [`${request.path}|x=1&y=a|b`, { method: 'POST', body: request.body }],
      ];
      for (const [path, rest] of others)
        assert.equal((await gateway.send(path, headers, rest)).status, 403, path);
    });

    it('refuses what would be ambiguous', async () => {
      const plain = signed('pipe|d', 'k');
      assert.equal((await gateway.send('/default', plain)).status, 200);
      assert.equal((await gateway.send('/plainbind', plain)).status, 403);
      const headers = await sign(
        { certificateId: 'alice', key: 'alice-key', bind: ['path'] },
        { path: '/plainbind/a' },
      );
      assert.equal((await gateway.send('/plainbind/a', headers)).status, 200);
      const [id, signature] = headers as [[string, string], [string, string]];
      const moved = [
        id,
        signature,
        ['client-request-time', `${headers[2]?.[1]}|/plainbind`] as [string, string],
      ];
      assert.equal((await gateway.send('/plainbind/a', moved)).status, 403);
    });

    it('accepts a signature on a route of the configuration that it was made for, and on no other', async () => {
      const alice = { certificateId: 'alice', key: 'alice-key', time: '1700000000' };
      /** The signature of one configuration, with a time that says what else was signed. */
      const disguised = async (made: SigningOptions, parts: object, time: string) => {
        const [id, signature] = await sign({ ...alice, ...made }, parts);
        return [id, signature, ['client-request-time', time]] as [string, string][];
      };
      const path = '/pathbind/a';
      const everything = await sign(
        { ...alice, bind: ['method', 'path', 'query'] },
        { method: 'GET', path, query: 'q' },
      );
      assert.equal((await gateway.send(`${path}?q`, everything)).status, 200);
      const query = `GET|${path}|q`;
      const disguises: [string, [string, string][]][] = [
        [
          '/default',
          await disguised(
            { ...alice, bind: ['method', 'path', 'query'] },
            { method: 'GET', path, query: 'q' },
            `${alice.time}|${query}`,
          ),
        ],
        [`${path}?q`, await disguised({ ...alice, bind: ['query'] }, { query }, alice.time)],
        [
          `/querybind?${query}`,
          await disguised(
            { ...alice, bind: ['method', 'path', 'query'] },
            { method: 'GET', path, query: 'q' },
            alice.time,
          ),
        ],
        [
          '/hmac',
          await disguised(
            { ...alice, algorithm: 'hmac-sha256', bind: ['path'] },
            { path: '/hmac' },
            alice.time,
          ),
        ],
        ['/hmacbind', await disguised({ ...alice, algorithm: 'hmac-sha256' }, {}, alice.time)],
        [
          '/hmacbind',
          await disguised(
            { ...alice, algorithm: 'hmac-sha512', bind: ['path'] },
            { path: '/hmacbind' },
            alice.time,
          ),
        ],
      ];
      for (const [target, headers] of disguises)
        assert.equal(
          (await gateway.send(target, headers)).status,
          403,
          `${target} ${JSON.stringify(headers)}`,
        );
    });
  });

  it('accepts a time within the clock skew, in any of the forms', async () => {
    const now = Date.now();
    const forms = (at: number) => [
      String(Math.floor(at / 1000)),
      String(at),
      new Date(at).toISOString(),
      new Date(at).toUTCString(),
    ];
    for (const time of forms(now)) {
      assert.equal((await gateway.send('/fresh', signed('alice', 'alice-key', time))).status, 200, time);
    }
    for (const time of [...forms(now - 60_000), ...forms(now + 60_000), 'whenever', '2026-11-23']) {
      assert.equal((await gateway.send('/fresh', signed('alice', 'alice-key', time))).status, 403, time);
    }
  });

  it('accepts a signature once, on all routes together', async () => {
    const time = String(Date.now());
    const once = signed('alice', 'alice-key', time);
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.send('/once', once)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal(answers.filter(({ status }) => status === 403).length, 19);
    assert.equal((await gateway.send('/once_elsewhere', once)).status, 403);
    assert.equal((await gateway.send('/once', signed('bob', 'bob-key', time))).status, 200);
    assert.equal(
      (await gateway.send('/once', signed('alice', 'alice-key', `${Number(time) + 1}`))).status,
      200,
    );
  });

  it('does not count a bad signature as used', async () => {
    const time = String(Date.now());
    assert.equal((await gateway.send('/once', signed('carol', 'wrong', time))).status, 403);
    assert.equal((await gateway.send('/once', signed('carol', 'carol-key', time))).status, 200);
  });

  it('reads configured headers and hides them from the upstream', async () => {
    const names = ['X-Id', 'X-Signature', 'X-Time'];
    const headers = signed('alice', 'alice-key').map(([, value], i): [string, string] => [
      String(names[i]),
      value,
    ]);
    const { status, upstream } = await gateway.send('/renamed', [...headers, ['X-Customer-Id', BOB]]);
    assert.equal(status, 200);
    for (const name of names) assert.deepEqual(headerValues(upstream, name.toLowerCase()), []);
    assert.deepEqual(headerValues(upstream, 'x-customer-id'), [ALICE]);
    assert.equal((await gateway.send('/renamed', signed('alice', 'alice-key'))).status, 400);
  });

  it('makes the customer a Kong consumer, and refuses one that has none or another', async () => {
    const spoofed: [string, string][] = [
      ['X-Consumer-Username', 'admin'],
      ['X-Anonymous-Consumer', 'true'],
      ['X-Consumer-Groups', 'admins'],
      ['X-Authenticated-Groups', 'admins'],
      ['X-Credential-Identifier', 'admin'],
      ['x_consumer_id', BOB],
      ['x_consumer_username', 'admin'],
      ['X_Consumer-Custom_Id', BOB],
      ['x_consumer_groups', 'admins'],
      ['x_credential_identifier', 'admin'],
      ['X_Customer_Id', BOB],
    ];
    const { status, upstream } = await gateway.send('/consumer', [
      ...spoofed,
      ...signed('alice', 'alice-key'),
    ]);
    assert.equal(status, 200);
    assert.deepEqual(headerValues(upstream, 'x-consumer-id'), [ALICE]);
    assert.deepEqual(headerValues(upstream, 'x-consumer-username'), ['alice']);
    assert.deepEqual(headerValues(upstream, 'x-consumer-custom-id'), [ALICE]);
    const identity = upstream?.headerLines.filter(([name]) => /^x[-_](c(ons|red|ust)|anon|auth)/i.test(name));
    assert.deepEqual(new Set(identity?.map(([, value]) => value)), new Set([ALICE, 'alice']));
    assert.equal(identity?.length, 4);
    assert.equal((await gateway.send('/consumer', signed('bob', 'bob-key'))).status, 403);
    assert.equal((await gateway.send('/consumer', signed('carol', 'carol-key'))).status, 403);
  });
});
