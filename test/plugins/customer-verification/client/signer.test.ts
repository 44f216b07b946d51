import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ALGORITHMS,
  type Algorithm,
  BINDABLE,
  type Bindable,
  type RequestParts,
  type SignedParts,
  SignedTextError,
  signatureHeaders,
  signedText,
  signingFetch,
  signRequest,
} from '../../../../plugins/customer-verification/client/index.js';

interface Vector {
  name: string;
  certificateId: string;
  key: string;
  time: string;
  algorithm: Algorithm;
  bind: Bindable[];
  request?: RequestParts;
  signature: string;
}

const { vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../fixtures/signatures.json'), 'utf8'),
) as { vectors: Vector[] };

describe('signatureHeaders', () => {
  for (const { name, request, signature, ...options } of vectors) {
    it(`agrees with the vector: ${name}`, async () => {
      assert.deepEqual(await signatureHeaders(options, request), {
        'client-certificate-id': options.certificateId,
        'client-request-signature': signature,
        'client-request-time': options.time,
      });
    });
  }

  it('signs a later time with every call', async () => {
    const options = { certificateId: 'a', key: 'k' };
    const times = new Set<number>();
    for (let i = 0; i < 50; i += 1)
      times.add(Number((await signatureHeaders(options))['client-request-time']));
    assert.equal(times.size, 50);
    assert.ok(Math.abs(Math.max(...times) - Date.now()) < 1000);
  });

  it('names the part that is missing', async () => {
    const options = { certificateId: 'a', key: 'k', bind: ['path'] as const };
    await assert.rejects(signatureHeaders(options), (error: SignedTextError) => {
      assert.equal(error.code, 'ERR_SIGNED_TEXT');
      assert.match(error.message, /path/);
      return true;
    });
  });
});

describe('signedText', () => {
  const base = {
    certificateId: 'id',
    time: '1',
    method: 'GET',
    path: '/a',
    query: 'b',
    bodySha256: '0'.repeat(64),
  };
  const ambiguous: [string, Partial<typeof base>][] = [
    ['certificate id', { certificateId: 'i|d' }],
    ['time', { time: '1|2' }],
    ['method', { method: 'GET|' }],
    ['path', { path: '/a|b' }],
    ['path', { path: '/é' }],
    ['path', { path: '/a b' }],
    ['query', { query: 'a=\u0080' }],
    ['body', { bodySha256: 'x|'.padEnd(64, '0') }],
    ['body', { bodySha256: 'A'.repeat(64) }],
  ];
  for (const [part, change] of ambiguous) {
    it(`refuses ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => signedText({ ...base, ...change }, 'k', 'sha256', ['method', 'path', 'query', 'body']),
        (error: Error) => error instanceof SignedTextError && error.message.includes(part),
      );
    });
  }

  it('keeps requests apart that differ only in where path and query meet', () => {
    const sign = (path: string, query: string) =>
      signedText({ ...base, path, query }, 'k', 'sha256', ['path', 'query']);
    assert.notEqual(sign('/a', 'b%7Cc'), sign('/a%7Cb', 'c'));
    assert.equal(sign('/a', 'b|c'), 'sha256 path query\nid|k|1|/a|b|c');
    assert.throws(() => sign('/a|b', 'c'), SignedTextError);
  });

  it('leaves the key out of the text of an HMAC', () => {
    assert.equal(signedText(base, 'secret', 'hmac-sha256'), 'hmac-sha256\nid|1');
  });

  it('gives no two configurations and requests the same text', () => {
    // Values as headers and request lines may hold them, made of what could pass for another field.
    const value = fc.array(
      fc.constantFrom('sha256', 'path', 'query', ' ', '|', '/a', 'GET', '1', '%7C', '0'.repeat(64)),
      { maxLength: 6 },
    );
    const text = value.map((pieces) => pieces.join(''));
    const parts = fc.record({
      certificateId: text,
      time: text,
      method: text,
      path: text,
      query: text,
      bodySha256: fc.constantFrom('0'.repeat(64), '1'.repeat(64)),
    });
    const configuration = fc.record({
      algorithm: fc.constantFrom(...ALGORITHMS),
      bind: fc.subarray([...BINDABLE]),
    });
    const signed = ({
      parts: given,
      configuration: { algorithm, bind },
    }: {
      parts: SignedParts;
      configuration: { algorithm: Algorithm; bind: Bindable[] };
    }) => {
      try {
        return signedText({ ...given, certificateId: 'id' }, 'key', algorithm, bind);
      } catch (error) {
        if (error instanceof SignedTextError) return undefined;
        throw error;
      }
    };
    const meaning = ({
      parts: given,
      configuration: { algorithm, bind },
    }: {
      parts: SignedParts;
      configuration: { algorithm: Algorithm; bind: Bindable[] };
    }) =>
      JSON.stringify([
        algorithm,
        given.time,
        ...BINDABLE.map((name) => bind.includes(name) && (name === 'body' ? given.bodySha256 : given[name])),
      ]);
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(fc.record({ parts, configuration }), (request) => {
        const made = signed(request);
        if (made === undefined) return;
        assert.equal(seen.get(made) ?? meaning(request), meaning(request), made);
        seen.set(made, meaning(request));
      }),
      { numRuns: 3000 },
    );
    assert.ok(seen.size > 500);
  });

  it('refuses an id with a line break, which could pass for the first line', () => {
    assert.throws(() => signedText({ ...base, certificateId: 'sha256 path\nid' }, 'k'), SignedTextError);
  });
});

describe('signRequest and signingFetch', () => {
  const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    response.end('ok');
  });
  let origin: string;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  it('sends what was signed: method, path, query and body as they arrive', async () => {
    const options = {
      certificateId: 'c1',
      key: 'k1',
      algorithm: 'hmac-sha512',
      bind: ['method', 'path', 'query', 'body'],
    } as const;
    const signedFetch = signingFetch(options);
    const response = await signedFetch(`${origin}/ä b/./c?q=ü&r=|#part`, { method: 'PATCH', body: 'é' });
    assert.equal(await response.text(), 'ok');
    const request = seen.at(-1);
    assert.ok(request);
    assert.equal(request.body, 'é');
    const mark = request.url.indexOf('?');
    const expected = await signatureHeaders(
      { ...options, time: String(request.headers['client-request-time']) },
      {
        method: request.method,
        path: request.url.slice(0, mark),
        query: request.url.slice(mark + 1),
        body: request.body,
      },
    );
    assert.equal(request.headers['client-request-signature'], expected['client-request-signature']);
  });

  it('leaves the given request usable and its own headers in place', async () => {
    const request = new Request(`${origin}/x`, { method: 'POST', body: 'b', headers: { 'x-own': '1' } });
    const signed = await signRequest(request, {
      certificateId: 'c1',
      key: 'k1',
      headers: { certificateId: 'x-id', signature: 'x-signature', time: 'x-time' },
    });
    assert.equal(signed.headers.get('x-own'), '1');
    assert.equal(signed.headers.get('x-id'), 'c1');
    assert.match(signed.headers.get('x-signature') ?? '', /^[0-9a-f]{64}$/);
    assert.equal(signed.headers.get('client-certificate-id'), null);
    assert.equal(request.headers.get('x-id'), null);
    assert.equal(await signed.text(), 'b');
    assert.equal(await request.text(), 'b');
  });

  it('refuses a path that cannot be bound', async () => {
    const request = new Request(`${origin}/a|b`);
    await assert.rejects(signRequest(request, { certificateId: 'c', key: 'k', bind: ['path'] }), /%7C/);
  });
});

describe('the client for browsers', () => {
  it('imports nothing of Node', () => {
    const files = ['fetch.ts', 'header-names.ts', 'index.ts', 'signed-text.ts', 'signer.ts', '../errors.ts'];
    for (const file of files) {
      const text = readFileSync(
        join(import.meta.dirname, '../../../../plugins/customer-verification/client', file),
        'utf8',
      );
      const imports = [...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name);
      for (const name of imports)
        assert.match(String(name), /^\.\.?\/[a-z-]+\.js$/, `${file} imports ${name}`);
      assert.doesNotMatch(text, /\b(Buffer|process|require)\b/, file);
    }
  });
});
