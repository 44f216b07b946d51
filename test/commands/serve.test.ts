import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../src/commands/serve.js';
import { parseServeFlags } from '../../src/server/flags.js';
import { captureOutput } from '../support/captured-output.js';
import { CliProcess, type Finished, runCli } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { MsgpackKongPeer } from '../support/kong-peer-msgpack.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-'));
const started: CliProcess[] = [];
after(async () => {
  await Promise.all(started.map((process) => process.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

/** Writes files into a folder beneath the test's own. */
function files(name: string, contents: Record<string, string>): string {
  const path = mkdtempSync(join(folder, name));
  for (const [file, text] of Object.entries(contents)) writeFileSync(join(path, file), text);
  return path;
}

function start(args: readonly string[], options = {}): CliProcess {
  const process = new CliProcess(args, options);
  started.push(process);
  return process;
}

const NOISY = `
  import type kong from 'kong-pdk/kong';
  console.log('noise while loading');
  process.stdout.write('more noise');
  export const Schema = [{ message: { type: 'string', default: 'hi' } }];
  export const version = '1.2.3';
  export const priority = 7;
  setInterval(() => console.log('noise afterwards'), 1);
  export class Plugin {
    async access(kong: kong) {
      await kong.response.setHeader('x-noisy', 'yes');
    }
  }
`;
const CARELESS = `
  export const version = '1.0.0';
  export const priority = 1;
  export class Plugin {
    async access(kong) {
      const refuse = async () => {
        await null;
        await kong.response.exit(403, 'no');
      };
      refuse();
      await kong.request.getHeader('x');
    }
    async rewrite() {
      Promise.reject(new Error('forgotten'));
    }
  }
`;
const BROKEN = `export const version = '1.0.0';\nexport const priority = ;\n`;

const plugins = files('plugins', { 'noisy.ts': NOISY, 'careless.mjs': CARELESS, 'broken.mjs': BROKEN });

const INFO = {
  Name: 'noisy',
  Version: '1.2.3',
  Priority: 7,
  Phases: ['access'],
  Schema: {
    name: 'noisy',
    fields: [{ config: { type: 'record', fields: [{ message: { type: 'string', default: 'hi' } }] } }],
  },
};

describe('dumps', { concurrency: true }, () => {
  const dump = (...args: string[]) => runCli(['-d', plugins, ...args]);

  it('are JSON and nothing else on standard output, whatever a plugin prints', async () => {
    const { code, stdout, stderr } = await dump('--dump', '--plugin', 'noisy', '--socket', '/run/x.sock');
    assert.deepEqual(JSON.parse(stdout), { Protocol: 'ProtoBuf:1', Socket: '/run/x.sock', Plugins: [INFO] });
    assert.match(stderr, /noise while loading\n.*more noise/s);
    assert.equal(code, 0);
  });

  it('of several plugins need a name', async () => {
    const { code, stdout, stderr } = await dump('--dump');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /name it with --plugin \(there are: careless, noisy\)/);
  });

  it('for MsgPack:1 are a bare array, with a warning, and take flags with one dash', async () => {
    const { code, stdout, stderr } = await runCli([
      '-plugins-directory',
      plugins,
      '-dump-plugin-info',
      'noisy',
      '--protocol',
      'msgpack',
    ]);
    assert.deepEqual(JSON.parse(stdout), [INFO]);
    assert.match(stderr, /warning: over MsgPack:1 Kong lets requests through/);
    assert.equal(code, 0);
  });

  it('of a plugin that cannot be loaded say why and print nothing', async () => {
    const { code, stdout, stderr } = await dump('--dump', '--plugin', 'broken');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /broken\.mjs:2/);
  });
});

describe('flags', () => {
  it('are refused by name, with exit code 2', async () => {
    const { code, stdout, stderr } = await captureOutput(() => command.run(['--no-such-flag']));
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /--no-such-flag/);
    for (const [args, said] of [
      [['--workers', '0'], /--workers must be a whole number from 1/],
      [['--protocol', 'json'], /--protocol must be protobuf or msgpack, not "json"/],
      [['--socket-mode', '9'], /--socket-mode must be/],
      [['stray'], /stray/],
    ] as const) {
      const refused = await captureOutput(() => command.run([...args]));
      assert.equal(refused.code, 2, String(args));
      assert.match(refused.stderr, said);
    }
  });

  it('of the stock server may have one dash', () => {
    const options = parseServeFlags([
      '-kong-prefix',
      '/p',
      '-plugins-directory',
      '/d',
      '-dump-all-plugins',
      '-vv',
    ]);
    assert.deepEqual(
      [options.socket, options.pluginsDirectory, options.dump, options.verbosity],
      ['/p/js_pluginserver.sock', '/d', 'all', 2],
    );
    assert.equal(parseServeFlags(['-p', '/p', '--sock-name', 's.sock']).socket, '/p/s.sock');
    assert.equal(parseServeFlags(['-dump', '--plugin', 'a']).dump, 'plugin');
  });

  it('--version prints the version of the package', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    assert.deepEqual(await captureOutput(() => command.run(['--version'])), {
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    });
  });
});

/** Runs one event of one plugin over ProtoBuf:1; the names of its calls. */
async function accessOf(socket: string, plugin: string, phase = 'access'): Promise<string[]> {
  const peer = new KongPeer(socket);
  try {
    const { calls } = await peer.event((await peer.start(plugin)) as number, phase);
    return calls.map(({ method }) => method);
  } finally {
    peer.close();
  }
}

describe('serving', () => {
  it('goes on beside a broken plugin, and stops at once without taking a successor’s socket', async () => {
    const socket = join(folder, 'noisy.sock');
    const args = [
      '-p',
      folder,
      '--sock-name',
      'noisy.sock',
      '-plugins-directory',
      plugins,
      '-v',
      '--linger',
      '0',
    ];
    const first = start(args);
    await first.said(
      /server started at path .*noisy\.sock, pid \d+.*plugins: careless 1\.0\.0, noisy 1\.2\.3/,
    );
    assert.match(first.stderr, /broken\.mjs:2:\d+: .*Unexpected token/);
    assert.deepEqual(await accessOf(socket, 'noisy'), ['kong.response.set_header']);

    const second = start(['serve', ...args, '--plugin', 'careless']);
    await second.said(/server started at path .*plugins: careless 1\.0\.0\n/);
    const { code, signal } = await first.stop('SIGTERM');
    assert.deepEqual([code, signal], [0, null]);
    assert.match(first.stderr + first.stdout, /SIGTERM: stopped/);
    assert.ok(existsSync(socket), 'the path is the second server’s');

    // What nobody waited for: an exit is no error, another rejection is one, and neither ends the process.
    assert.deepEqual(await accessOf(socket, 'careless'), ['kong.request.get_header', 'kong.response.exit']);
    await accessOf(socket, 'careless', 'rewrite');
    await second.said(/a promise was rejected and nobody caught it: Error: forgotten/);
    assert.deepEqual(await accessOf(socket, 'careless'), ['kong.request.get_header', 'kong.response.exit']);
    assert.equal((second.stderr + second.stdout).match(/nobody caught it/g)?.length, 1);

    const connected = new KongPeer(socket);
    await connected.start('careless');
    assert.equal((await second.stop('SIGTERM')).code, 0, 'with a connection open');
    connected.close();
    assert.ok(!existsSync(socket), 'its own path is removed');
  });

  it('fails with the reason when there is nothing to serve, or nowhere to listen', async () => {
    const none = files('none', { 'broken.mjs': BROKEN });
    const nothing = files('nothing', { 'README.md': '' });
    const [empty, dumped, served, nowhere] = await Promise.all([
      runCli(['-d', none, '--socket', join(folder, 'none.sock')]),
      runCli(['-d', nothing, '--dump-all-plugins']),
      runCli(['-d', nothing, '--socket', join(folder, 'none.sock')]),
      runCli(['-d', plugins, '--plugin', 'noisy', '--socket', join(folder, 'no', 'such', 'x.sock')]),
    ]);
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /broken\.mjs:2.*no plugin could be loaded/s);
    for (const { code, stdout, stderr } of [dumped, served]) {
      assert.deepEqual([code, stdout], [1, '']);
      assert.ok(stderr.includes(`${nothing}: there is no plugin in this directory`), stderr);
    }
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /cannot listen on .*x\.sock/);
  });
});

describe('--compat stock', () => {
  it('gives plugins of one’s own lists, over both protocols', async () => {
    const socket = join(folder, 'compat.sock');
    const lists = files('compat', {
      'lists.cjs': `exports.Version = '1.0';
        exports.Plugin = class {
          async access(kong) { kong.response.setHeader('x', (await kong.request.get_headers()).one[0]); }
        };`,
    });
    await start(['-d', lists, '--socket', socket, '--compat', 'stock', '--linger', '0']).said(
      /server started/,
    );
    const peer = new KongPeer(socket);
    const packed = new MsgpackKongPeer(socket);
    try {
      const answer = 'kong.request.get_headers';
      const { calls } = await peer.event((await peer.start('lists')) as number, 'access', {
        [answer]: { one: 'first' },
      });
      assert.deepEqual(calls.at(-1)?.args, { k: 'x', v: 'first' });
      const event = await packed.event(await packed.start('lists'), 'access', {
        [answer]: { one: ['first'] },
      });
      assert.deepEqual(event.calls.at(-1)?.Args, ['x', 'first']);
    } finally {
      peer.close();
      packed.close();
    }
  });

  it('is refused for the bundled plugins, and by any other name', async () => {
    const refused = (...args: string[]) => captureOutput(() => command.run(['--compat', ...args]));
    const lua = await refused('lua');
    assert.deepEqual([lua.code, lua.stderr.includes('--compat must be stock, not "lua"')], [2, true]);
    const { code, stderr } = await refused('stock', '--socket', join(folder, 'bundled.sock'));
    assert.deepEqual([code, stderr.includes('name their directory with -d')], [2, true]);
  });
});

describe('startDedicatedServer', { concurrency: true }, () => {
  const index = new URL('../../src/index.ts', import.meta.url).href;
  const script = join(
    files('dedicated', {
      'solo.mts': `
        import { startDedicatedServer } from ${JSON.stringify(index)};
        console.log('noise while loading');
        class Plugin {
          async access(kong: { response: { setHeader(name: string, value: string): Promise<null> } }) {
            await kong.response.setHeader('x-solo', 'yes');
          }
        }
        const validate = ({ message }: Record<string, unknown>) =>
          message === 'never' ? [{ path: ['message'], message: 'must not be never' }] : [];
        await startDedicatedServer('solo', Plugin, '0.3.0', 5, [{ message: { type: 'string' } }], validate);
      `,
    }),
    'solo.mts',
  );

  it('dumps the plugin', async () => {
    const { code, stdout }: Finished = await runCli(['--dump', '-p', folder], { script });
    // What the file prints before it calls the function is its own affair.
    const dumped = JSON.parse(stdout.replace('noise while loading\n', ''));
    assert.deepEqual(dumped, {
      Protocol: 'ProtoBuf:1',
      Socket: join(folder, 'solo.sock'),
      Plugins: [
        {
          Name: 'solo',
          Version: '0.3.0',
          Priority: 5,
          Phases: ['access'],
          Schema: {
            name: 'solo',
            fields: [{ config: { type: 'record', fields: [{ message: { type: 'string' } }] } }],
          },
        },
      ],
    });
    assert.equal(code, 0);
  });

  it('serves it over both protocols, and stops at SIGTERM', async () => {
    const socket = join(folder, 'solo.sock');
    const server = start(['-p', folder, '--linger', '0'], { script });
    await server.said(/server started at path .*solo\.sock.*plugins: solo 0\.3\.0/);
    assert.deepEqual(await accessOf(socket, 'solo'), ['kong.response.set_header']);
    const packed = new MsgpackKongPeer(socket);
    const { calls, end } = await packed.event(await packed.start('solo'));
    packed.close();
    assert.deepEqual(
      [calls, end],
      [[{ Method: 'kong.response.set_header', Args: ['x-solo', 'yes'] }], 'returned'],
    );
    const refused = new KongPeer(socket);
    const event = await refused.event((await refused.start('solo', { message: 'never' })) as number);
    refused.close();
    assert.match(JSON.stringify(event.calls[0]), /plugin ..solo..: config\.message: must not be never/);
    assert.equal((await server.stop()).code, 0);
    assert.ok(!existsSync(socket));
  });
});
