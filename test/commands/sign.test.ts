import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { signatureHeaders } from '../../plugins/customer-verification/client/index.js';
import { command, shellQuoted } from '../../src/commands/sign.js';
import { captureOutput } from '../support/captured-output.js';

const exec = promisify(execFile);
const { vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/signatures.json'), 'utf8'),
);

const sign = (...argv: string[]) => captureOutput(() => command.run(argv));

describe('sign', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sign-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const vector of vectors) {
    it(`prints the headers of the vector: ${vector.name}`, async () => {
      const { method, path, query, body } = vector.request ?? {};
      const parts = Object.entries({ method, path, query, body }).flatMap(([name, value]) =>
        value === undefined ? [] : [`--${name}=${value}`],
      );
      const { code, stdout, stderr } = await sign(
        `--certificate-id=${vector.certificateId}`,
        `--key=${vector.key}`,
        `--time=${vector.time}`,
        `--algorithm=${vector.algorithm}`,
        `--bind=${vector.bind.join(',')}`,
        ...parts,
      );
      assert.equal(stderr, '');
      assert.equal(code, 0);
      assert.equal(
        stdout,
        `client-certificate-id: ${vector.certificateId}\n` +
          `client-request-signature: ${vector.signature}\n` +
          `client-request-time: ${vector.time}\n`,
      );
    });
  }

  it('reads the key from a file', async () => {
    const file = join(folder, 'key');
    writeFileSync(file, 'demo-key\n');
    const { stdout } = await sign(
      '--certificate-id=demo-certificate',
      `--key-file=${file}`,
      '--time=1700000000',
    );
    assert.match(stdout, new RegExp(vectors[0].signature));
  });

  const mistakes: [string, string[], RegExp][] = [
    ['no key', ['--certificate-id=a'], /--key/],
    ['no certificate id', ['--key=a'], /--certificate-id/],
    ['an unknown algorithm', ['--certificate-id=a', '--key=k', '--algorithm=md5'], /--algorithm.*md5/],
    ['an unknown part', ['--certificate-id=a', '--key=k', '--bind=host'], /--bind.*host/],
    ['an unknown flag', ['--nonsense'], /nonsense/],
    ['a URL that is none', ['--certificate-id=a', '--key=k', '--curl=example'], /--curl.*example/],
    ['a line break in a header', ['--certificate-id=a\nb', '--key=k'], /client-certificate-id/],
    ['a file that is not there', ['--certificate-id=a', '--key-file=/nonexistent'], /nonexistent.*ENOENT/],
  ];
  for (const [what, argv, message] of mistakes) {
    it(`says what is wrong: ${what}`, async () => {
      const { code, stdout, stderr } = await sign(...argv);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    });
  }

  it('says what cannot be signed', async () => {
    const { code, stderr } = await sign('--certificate-id=a|b', '--key=k', '--bind=method');
    assert.equal(code, 1);
    assert.match(stderr, /certificate id/);
  });
});

describe('sign --curl', () => {
  const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    response.end();
  });
  let origin: string;
  let curl: boolean;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    curl = await exec('curl', ['--version']).then(
      () => true,
      () => false,
    );
  });
  after(() => server.close());

  it('prints a command that a shell runs as it was signed', async (test) => {
    if (!curl) return test.skip('left out: curl is not installed');
    const options = { certificateId: "it's $HOME", key: 'k', algorithm: 'hmac-sha256' } as const;
    const bind = ['method', 'path', 'query', 'body'] as const;
    const { stdout } = await sign(
      `--certificate-id=${options.certificateId}`,
      `--key=${options.key}`,
      `--algorithm=${options.algorithm}`,
      `--bind=${bind.join(',')}`,
      '--method=PUT',
      '--body=@it\'s "here" $HOME\n',
      `--curl=${origin}/a/[1-3]/{x}?q='$(id)'&r=%7C#part`,
    );
    await exec('sh', ['-c', `${stdout.trimEnd()} --silent --show-error`]);
    const request = seen.at(-1);
    assert.ok(request);
    assert.equal(request.method, 'PUT');
    assert.equal(request.body, '@it\'s "here" $HOME\n');
    assert.equal(request.headers['client-certificate-id'], options.certificateId);
    const mark = request.url.indexOf('?');
    const expected = await signatureHeaders(
      { ...options, bind, time: String(request.headers['client-request-time']) },
      {
        method: 'PUT',
        path: request.url.slice(0, mark),
        query: request.url.slice(mark + 1),
        body: request.body,
      },
    );
    assert.equal(request.headers['client-request-signature'], expected['client-request-signature']);
  });

  it('quotes words for a shell', () => {
    assert.equal(shellQuoted('http://127.0.0.1:8000/'), 'http://127.0.0.1:8000/');
    assert.equal(shellQuoted("it's"), `'it'\\''s'`);
    assert.equal(shellQuoted('?a=b'), `'?a=b'`);
    assert.equal(shellQuoted(''), `''`);
  });
});
