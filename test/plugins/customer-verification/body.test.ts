import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { signatureHeaders } from '../../../plugins/customer-verification/client/index.js';
import type { Postgres } from '../../../src/dev/postgres.js';
import { startPostgres } from '../../support/postgres.js';
import { type GatewayRig, signed, startGateway } from './rig.js';

const MEGABYTE = 1_048_576;
const DEADLINE_MS = 1000;

describe('customer-verification and bodies', () => {
  let postgres: Postgres;
  let gateway: GatewayRig;
  const bound = { algorithm: 'hmac-sha256', bind: ['body'] };

  const headersFor = async (id: string, body: Uint8Array | string) =>
    signatureHeaders(
      { certificateId: id, key: 'k', algorithm: 'hmac-sha256', bind: ['body'] },
      { body: body as Uint8Array },
    );
  const post = (headers: Record<string, string>, path = '/bound', url = gateway.gateway.url) =>
    http.request(url, {
      path,
      method: 'POST',
      headers: { host: 'test', ...headers },
      agent: false,
    });
  const statusOf = async (request: http.ClientRequest) => {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return response.statusCode;
  };

  before(async () => {
    postgres = await startPostgres();
    Object.assign(process.env, postgres.env, { KONG_TS_ENV_FILE: '/nonexistent' });
    const db = new pg.Client({ connectionString: postgres.url });
    await db.connect();
    await db.query(
      `insert into customer (certificate, authentication) values ('alice', '{"client_key": "k"}')`,
    );
    await db.end();
    gateway = await startGateway({
      bound: { ...bound, max_body_mb: 1 },
      large: bound,
      default: {},
    });
  });
  after(async () => {
    await gateway?.close();
    await postgres?.dispose();
  });

  it('hashes a body that lies in a file', async () => {
    const body = Buffer.alloc(8 * MEGABYTE, 'large');
    const headers = { ...(await headersFor('alice', body)), 'content-length': String(body.length) };
    const good = post(headers, '/large');
    good.end(body);
    assert.equal(await statusOf(good), 200);
    const changed = post(headers, '/large');
    changed.end(Buffer.concat([body.subarray(1), Buffer.from('!')]));
    assert.equal(await statusOf(changed), 403);
  });

  it('refuses an announced body over max_body_mb before it is sent, whoever sends it', async () => {
    for (const id of ['alice', 'nobody']) {
      const request = post({ ...(await headersFor(id, '')), 'content-length': String(MEGABYTE + 1) });
      request.on('error', () => undefined);
      request.flushHeaders();
      assert.equal(await statusOf(request), 413);
      request.destroy();
    }
    const body = Buffer.alloc(MEGABYTE, 'x');
    const request = post({ ...(await headersFor('alice', body)), 'content-length': String(body.length) });
    request.end(body);
    assert.equal(await statusOf(request), 200, 'exactly as much as is allowed');
  });

  it('refuses a body over max_body_mb that announced no length', async () => {
    for (const id of ['alice', 'nobody']) {
      const body = Buffer.alloc(MEGABYTE + 1, 'x');
      const request = post({ ...(await headersFor(id, body)), 'transfer-encoding': 'chunked' });
      request.end(body);
      assert.equal(await statusOf(request), 413);
    }
  });

  it('tells neither a known nor an unknown id anything before the body is there', async () => {
    const wrong = {
      'client-request-signature': '0'.repeat(64),
      'client-request-time': '1',
      'content-length': '20',
    };
    const uploads = ['alice', 'nobody'].map((id) => post({ ...wrong, 'client-certificate-id': id }));
    let sent = false;
    const answers = uploads.map(async (request) => [await statusOf(request), sent]);
    for (const request of uploads) request.write('ten bytes.');
    // Whatever is answered at once is answered by then.
    for (let i = 0; i < 5; i += 1)
      assert.equal((await gateway.send('/default', signed('nobody', 'k'))).status, 403);
    sent = true;
    for (const request of uploads) request.end('ten bytes.');
    assert.deepEqual(await Promise.all(answers), [
      [403, true],
      [403, true],
    ]);
  });

  it('gives a slow upload the time that it takes', async (t) => {
    const rig = await startGateway({ bound }, { eventDeadlineMs: DEADLINE_MS });
    t.after(() => rig.close());
    const body = Buffer.from('x'.repeat(10));
    const headers = { ...(await headersFor('alice', body)), 'content-length': '10' };
    const request = post(headers, '/bound', rig.gateway.url);
    const answer = statusOf(request);
    // More than the event's deadline passes while the client sends.
    for (const byte of body) {
      request.write(Buffer.of(byte));
      await new Promise((resolve) => setTimeout(resolve, (1.5 * DEADLINE_MS) / body.length));
    }
    request.end();
    assert.equal(await answer, 200);
  });
});
