import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { COMMANDS } from '../../src/commands/commands.js';
import { command } from '../../src/commands/completion.js';
import { captureOutput } from '../support/captured-output.js';
import { runCli } from '../support/cli.js';

describe('completion in bash', () => {
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kts-completion-'));
    mkdirSync(join(folder, 'my plugins'));
    writeFileSync(join(folder, 'my.yml'), '');
    const { code, stdout } = await captureOutput(() => command.run(['bash']));
    assert.equal(code, 0);
    writeFileSync(join(folder, 'completion'), stdout);
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What bash offers for the last one of some words. */
  function offered(...words: string[]): string[] {
    const script = `. ./completion; COMP_WORDS=(kong-ts-pluginserver "$@"); COMP_CWORD=$#
      $(complete -p kong-ts-pluginserver | sed 's/.*-F //;s/ .*//'); printf '%s\\n' "\${COMPREPLY[@]}"`;
    const printed = execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return printed.split('\n').filter((line) => line !== '');
  }

  const cases: [words: string[], offers: string[]][] = [
    [[''], COMMANDS.map(({ name }) => name)],
    [['che'], ['check']],
    [['--dump-'], ['--dump-plugin-info', '--dump-all-plugins']],
    [['serve', '--work'], ['--workers']],
    [
      ['--workers', '2', '--protocol', ''],
      ['protobuf', 'msgpack'],
    ],
    [['check', '--s'], ['--strict']],
    [
      ['check', '--protocol', ''],
      ['completion', 'my plugins', 'my.yml'],
    ],
    [['check', 'my.'], ['my.yml']],
    [['dev', '-d', ''], ['my plugins']],
    [['dev', '--inspector', ''], ['off']],
    [['dev', '--port', ''], []],
    [
      ['customers', 'r'],
      ['rotate', 'revoke'],
    ],
    [['customers', 'rotate', 'shop', '--o'], ['--overlap']],
    [['completion', 'b'], ['bash']],
  ];
  for (const [words, offers] of cases) {
    it(`of ${words.join(' ')}`, () => assert.deepEqual(offered(...words).sort(), [...offers].sort()));
  }
});

describe('every command', () => {
  for (const { name, load } of COMMANDS) {
    it(`explains itself, and tells what a misspelt flag is near to: ${name}`, async () => {
      const known = (await load()).command;
      const help = await captureOutput(() => known.run(['--help']));
      assert.deepEqual([help.code, help.stderr], [0, '']);
      assert.match(help.stdout, new RegExp(`^Usage: kong-ts-pluginserver \\[?${name}`));
      for (const spelling of Object.keys(known.flags))
        assert.ok(help.stdout.includes(`${spelling}  `), spelling);
      assert.deepEqual(
        help.stdout.split('\n').filter((line) => line.length > 120),
        [],
      );
      const { code, stdout, stderr } = await captureOutput(() => known.run(['--hepl']));
      assert.deepEqual([code, stdout], [2, '']);
      const program = name === 'serve' ? 'kong-ts-pluginserver' : `kong-ts-pluginserver ${name}`;
      assert.ok(
        stderr.startsWith(`${program}: unknown flag --hepl; did you mean --help?\n\n${help.stdout}`),
        stderr,
      );
    });
  }

  it('is known by its name, and a misspelt one told what it is near to', async () => {
    const { code, stdout, stderr } = await runCli(['chekc']);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^kong-ts-pluginserver: unknown command "chekc"; did you mean check\?\n\nUsage: /);
  });

  it('of a shell that is not known says which are', async () => {
    const { code, stderr } = await captureOutput(() => command.run(['tcsh']));
    assert.equal(code, 2);
    assert.match(stderr, /the shell must be bash or zsh or fish, not "tcsh"/);
  });
});
