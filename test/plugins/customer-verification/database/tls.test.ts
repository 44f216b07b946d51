import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import { parseConfig } from '../../../../plugins/customer-verification/config.js';
import { openKeyStore } from '../../../../plugins/customer-verification/keys/key-store.js';
import type { Postgres } from '../../../../src/dev/postgres.js';
import { startPostgres } from '../../../support/postgres.js';
import { eventually } from '../rig.js';

const SSL_REQUEST = 80877103;

/** A self-signed certificate, or false where there is no openssl. */
function certificate(folder: string, name: string, subjectAltName: string): boolean {
  try {
    const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
    const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${subjectAltName}`];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...key, ...files, ...subject], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tls-'));
const made = ['right', 'wrong'].every((name) =>
  certificate(folder, name, name === 'right' ? 'IP:127.0.0.1' : 'DNS:db'),
);

describe('SERVER_DB_SSLMODE', { skip: made ? false : 'left out: openssl is not installed' }, () => {
  let postgres: Postgres;
  const fronts: Record<string, number> = {};
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  /** PostgreSQL behind TLS: answers the request for it as PostgreSQL does, and passes on what comes out of it. */
  async function startFront(name: string): Promise<number> {
    const key = readFileSync(join(folder, `${name}.key`));
    const cert = readFileSync(join(folder, `${name}.pem`));
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('readable', () => {
        const request = socket.read(8) as Buffer | null;
        if (request?.readInt32BE(4) !== SSL_REQUEST) return socket.destroy();
        socket.write('S');
        const secure = new TLSSocket(socket, { isServer: true, key, cert });
        const inner = connect(postgres.port, '127.0.0.1');
        sockets.add(inner);
        for (const end of [secure, inner]) end.on('error', () => socket.destroy());
        secure.pipe(inner).pipe(secure);
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  }

  before(async () => {
    postgres = await startPostgres();
    for (const name of ['right', 'wrong']) fronts[name] = await startFront(name);
  });
  after(async () => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    await postgres?.dispose();
    rmSync(folder, { recursive: true });
  });

  /** Looks an id up; resolves to the reason for failing, or undefined. */
  async function attempt(front: string, sslMode: string, authority?: string): Promise<string | undefined> {
    const environment = {
      ...postgres.env,
      SERVER_DB_PORT: String(fronts[front]),
      SERVER_DB_SSLMODE: sslMode,
      ...(authority && { SERVER_DB_SSLROOTCERT: join(folder, `${authority}.pem`) }),
    };
    const keys = openKeyStore(environment, { ...parseConfig({}).cache, negativeTtlMs: 0 });
    try {
      await keys.customers.load('nobody');
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      keys.close();
    }
  }
  const connects = async (front: string, mode: string, authority?: string): Promise<void> => {
    await eventually(
      `${mode} connects`,
      20_000,
      async () => (await attempt(front, mode, authority)) === undefined,
    );
  };
  const fails = async (front: string, mode: string, authority: string | undefined, reason: RegExp) => {
    let last: string | undefined;
    await eventually(`${mode} fails for the right reason`, 20_000, async () => {
      last = await attempt(front, mode, authority);
      assert.notEqual(last, undefined);
      return reason.test(String(last));
    }).catch((error: Error) => assert.fail(`${error.message}: ${last}`));
  };

  it('require: encrypts and asks for no proof', () => connects('wrong', 'require'));
  it('verify-ca: takes a certificate that the authority signed, for any name', () =>
    connects('wrong', 'verify-ca', 'wrong'));
  it('verify-ca: refuses any other', () =>
    fails('right', 'verify-ca', 'wrong', /self.signed|verify|unable/i));
  it('verify-full: takes a certificate for the host', () => connects('right', 'verify-full', 'right'));
  it('verify-full: refuses one for another host', () =>
    fails('wrong', 'verify-full', 'wrong', /127\.0\.0\.1|altname/i));
  it('verify-full: trusts nobody without being told', () =>
    fails('right', 'verify-full', undefined, /self.signed|verify/i));
  it('disable: does not connect to a server that wants TLS', () => fails('right', 'disable', undefined, /./));
});
