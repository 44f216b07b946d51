import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CliProcess } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-check-'));
after(() => rmSync(folder, { recursive: true }));

/** A config with one plugin on one route. */
function config(plugin: string): string {
  return `_format_version: "3.0"
services:
  - name: echo
    url: http://127.0.0.1:9000
    routes:
      - name: r
        paths: [/]
        plugins:
${plugin}`;
}

let files = 0;

async function check(text: string) {
  const file = join(folder, `kong-${files++}.yml`);
  writeFileSync(file, text);
  const { code, stdout, stderr } = await new CliProcess(['check', file]).finished;
  return { code, stderr, lines: stdout.trimEnd().replaceAll(`${file}:`, '').split('\n') };
}

describe('check', () => {
  it('finds nothing to say about the shipped config and the examples', async () => {
    const examples = readdirSync('examples/functions').map((file) => `examples/functions/${file}`);
    assert.equal(examples.length, 5);
    for (const file of ['kong.yml', ...examples]) {
      const { code, stdout, stderr } = await new CliProcess(['check', file]).finished;
      assert.deepEqual([code, stdout, stderr], [0, `${file}: no faults\n`, '']);
    }
  });

  it('names line and column of a fault in a block of text', async () => {
    const { code, lines } = await check(
      config(`          - name: js-pre-function
            config:
              access:
                - kong.log.notice('fine');
                - |
                  const a: string = 'TypeScript, positions kept';
                  const b = ;
`),
    );
    assert.equal(code, 1);
    assert.equal(lines.length, 1);
    // Line 15 of the file; the block is indented by 18.
    assert.match(lines[0] as string, /^15:29: plugin "js-pre-function": config\.access\[1\]: /);
  });

  it('names it in a quoted string', async () => {
    const { code, lines } = await check(
      config(`          - { name: js-post-function, config: { log: ["let x = (1;"] } }\n`),
    );
    assert.equal(code, 1);
    assert.match(lines.join(), /^9:\d+: plugin "js-post-function": config\.log\[0\]: /);
  });

  it('names every fault: schema, functions, in the order of the file', async () => {
    const { code, lines } = await check(
      config(`          - name: js-response-function
            config:
              response: ["if ("]
          - name: customer-verification
            config:
              cache_ttl: soon
          - name: js-pre-function
            config: {}
`),
    );
    assert.equal(code, 1);
    assert.deepEqual(
      lines.map((line) => Number.parseInt(line, 10)),
      [11, 14, 16],
      lines.join('\n'),
    );
    assert.match(lines[1] as string, /cache_ttl/);
  });

  it('notes what it does not check, which --strict makes a fault', async () => {
    const text = config('          - { name: cors }\n');
    const { code, lines } = await check(text);
    assert.equal(code, 0);
    assert.match(lines[0] as string, /^9:21: plugin "cors": Kong's own, .* \(note\)$/);
    const file = join(folder, 'strict.yml');
    writeFileSync(file, text);
    const strict = await new CliProcess(['check', '--strict', file]).finished;
    assert.equal(strict.code, 1);
    assert.doesNotMatch(strict.stdout, /no faults/);
  });

  it('runs none of them', async () => {
    const { code } = await check(
      config(`          - { name: js-pre-function, config: { access: ["for (;;) {}"] } }\n`),
    );
    assert.equal(code, 0);
  });

  it('names a post-function that takes the place of the guard', async () => {
    const withPost = (lua: string) =>
      config(`          - name: customer-verification
          - { name: post-function, config: { access: ["${lua}"] } }\n`);
    const { lines } = await check(withPost('-- kong.ctx.shared.customer_verified'));
    assert.match(
      lines.join('\n'),
      /^10:21: plugin "post-function": .* kong\.ctx\.shared\.customer_verified .*\(note\)/,
    );
    const kept = await check(
      withPost('if not kong.ctx.shared.customer_verified then return kong.response.exit(503) end'),
    );
    assert.doesNotMatch(kept.lines.join('\n'), /customer_verified/);
  });

  it('knows what an instance would refuse with several workers', async () => {
    const file = join(folder, 'workers.yml');
    writeFileSync(
      file,
      config(`          - name: customer-verification
            config: { replay_protection: true, clock_skew: 30, replay_store: memory }\n`),
    );
    assert.equal((await new CliProcess(['check', file]).finished).code, 0);
    const { code, stdout } = await new CliProcess(['check', '--workers', '2', file]).finished;
    assert.equal(code, 1);
    assert.match(stdout, /:10:\d+: plugin "customer-verification": config\.replay_store: must be redis/);
    // Two workers are what the shipped kong.conf asks for.
    copyFileSync('kong.conf', join(folder, 'kong.conf'));
    const beside = await new CliProcess(['check', file]).finished;
    rmSync(join(folder, 'kong.conf'));
    assert.match(beside.stdout, /config\.replay_store: must be redis where the plugin server runs 2 workers/);
  });

  it('notes what nobody knows with --ignore-unknown', async () => {
    const file = join(folder, 'unknown.yml');
    writeFileSync(file, `_konnect: { a: b }\n${config('          - name: of-another-gateway\n')}`);
    assert.equal((await new CliProcess(['check', file]).finished).code, 1);
    const { code, stdout } = await new CliProcess(['check', '--ignore-unknown', file]).finished;
    assert.equal(code, 0);
    assert.match(stdout, /_konnect.*\(note\)\n/);
    assert.match(stdout, /of-another-gateway.*\(note\)\n/);
  });

  it('exits with 2 for a file that is not there', async () => {
    const { code, stderr } = await new CliProcess(['check', join(folder, 'none.yml')]).finished;
    assert.equal(code, 2);
    assert.match(stderr, /none\.yml/);
  });
});
