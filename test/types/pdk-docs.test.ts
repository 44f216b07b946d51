import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PDK_METHODS } from '../../src/pdk/methods.js';
import { pdkDocs, undeclared } from './pdk-docs.js';

/** Without the spaces and dashes with which the formatter pads tables. */
const unpadded = (text: string) => text.replace(/ +/g, ' ').replace(/-+/g, '-');

test("the types' comments and docs/pdk.md say what the table of the PDK says", () => {
  for (const [file, text] of pdkDocs()) {
    const mend = `${file}: run "node --import tsx test/types/pdk-docs.ts"`;
    assert.equal(unpadded(readFileSync(file, 'utf8')), unpadded(text), mend);
  }
});

test('every function of the table is declared', () => {
  assert.deepEqual(undeclared(PDK_METHODS.map(({ wire }) => wire)), []);
});
