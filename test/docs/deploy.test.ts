import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseServeFlags } from '../../src/server/flags.js';

const page = readFileSync('docs/deploy.md', 'utf8');

/** The anchor that a heading gets. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

test('what docs/deploy.md links to is there', () => {
  const links = [...page.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  assert.ok(links.length > 10);
  for (const [, path = '', fragment] of links) {
    const file = join('docs', path);
    assert.ok(existsSync(file), path);
    if (fragment === undefined) continue;
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
      anchor(text),
    );
    assert.ok(headings.includes(fragment), `${path}#${fragment}`);
  }
});

test('the dumps in docs/deploy.md are understood', () => {
  const commands = [...page.matchAll(/^kong-ts-pluginserver (--dump.*) > \S+$/gm)];
  assert.equal(commands.length, 2);
  for (const [, flags = ''] of commands) {
    const { dump, plugins } = parseServeFlags(flags.split(' '));
    assert.deepEqual([dump, plugins], ['plugin', ['customer-verification']]);
  }
});
