import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openRawBody } from '../../src/api/raw-body.js';
import { PdkError } from '../../src/pdk/errors.js';
import { createKong } from '../../src/pdk/kong.js';
import { BodyFile } from '../../src/pdk/raw-body.js';

const MEGABYTE = 1_048_576;

describe('openRawBody', () => {
  const folder = mkdtempSync(join(tmpdir(), 'body-'));
  after(() => rmSync(folder, { recursive: true }));

  /** A `kong` whose Kong answers so when it is asked for the body. */
  const kongWith = (body: Buffer | BodyFile) =>
    createKong({ config: {}, phases: ['access'], call: async () => body });
  const read = async (body: AsyncIterable<Uint8Array>) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  it('gives a body that came with the answer', async () => {
    const body = await openRawBody(kongWith(Buffer.from('here')));
    assert.equal(body.bytes, 4);
    assert.equal(await read(body.chunks()), 'here');
    const none = await openRawBody(kongWith(Buffer.alloc(0)));
    assert.equal(none.bytes, 0);
    assert.equal(await read(none.chunks()), '');
  });

  it('reads a file piece by piece, as often as it is asked to', async () => {
    const file = join(folder, 'small');
    writeFileSync(file, 'in a file');
    const body = await openRawBody(kongWith(new BodyFile(file)));
    assert.equal(body.bytes, 9);
    assert.equal(await read(body.chunks()), 'in a file');
    assert.equal(await read(body.chunks()), 'in a file');
    const large = join(folder, 'large');
    writeFileSync(large, '');
    truncateSync(large, 256 * MEGABYTE);
    let bytes = 0;
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    for await (const chunk of (await openRawBody(kongWith(new BodyFile(large)))).chunks()) {
      bytes += chunk.length;
      most = Math.max(most, chunk.length);
    }
    assert.equal(bytes, 256 * MEGABYTE);
    assert.ok(most <= MEGABYTE, `${most} bytes in one piece`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * MEGABYTE);
  });

  it('names the file that it cannot read', async () => {
    const gone = kongWith(new BodyFile(join(folder, 'gone')));
    await assert.rejects(openRawBody(gone), (error: PdkError) => {
      assert.ok(error instanceof PdkError);
      assert.match(error.message, /get_raw_body.*gone.*ENOENT/);
      return true;
    });
  });

  it('wants the kong object of a handler', async () => {
    await assert.rejects(openRawBody({} as never), TypeError);
  });
});
