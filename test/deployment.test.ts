import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse as parseEnv } from 'dotenv';
import { parse as parseYaml } from 'yaml';
import { NODE_CLI } from './support/command-line.js';
import { settings } from './support/settings.js';

// No container engine is needed here: the files that describe the deployment are held to one another, and the commands
// in them are run as they stand, with this checkout in the place of the installed program.

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name: string) => readFileSync(`${root}${name}`, 'utf8');

const INSTALLED = '/usr/local/bin/kong-ts-pluginserver';

const conf = settings(read('kong.conf'));
/** What stands in for a variable that is not set. */
const fallback = (text: string) => text.replace(/\$\{\w+:-([^}]+)\}/, '$1');
const dockerfile = read('Dockerfile');
const compose = parseYaml(read('docker-compose.yml'));
const list = (key: string) => (conf.get(key) ?? '').split(',').map((name) => name.trim());
const own = list('plugins').filter((name) => name !== 'bundled');

test('every plugin of kong.conf has its entries, and every entry its plugin', () => {
  assert.deepEqual(
    list('pluginserver_names').map((name) => name.replaceAll('_', '-')),
    own,
  );
  for (const plugin of own) {
    const prefix = `pluginserver_${plugin.replaceAll('-', '_')}`;
    const socket = conf.get(`${prefix}_socket`);
    assert.match(socket ?? '', /^\/usr\/local\/kong\/[\w-]+\.sock$/, `${prefix}_socket`);
    const query = conf.get(`${prefix}_query_cmd`) ?? '';
    assert.match(query, new RegExp(`--dump --plugin ${plugin} --workers 2 --socket ${socket}$`));
  }
  const keys = own.flatMap((name) => {
    const prefix = `pluginserver_${name.replaceAll('-', '_')}`;
    return [`${prefix}_socket`, `${prefix}_query_cmd`, `${prefix}_start_cmd`];
  });
  for (const key of conf.keys()) {
    if (key.startsWith('pluginserver_') && key !== 'pluginserver_names') assert.ok(keys.includes(key), key);
  }
});

test('every socket is served by exactly one start_cmd, which serves every plugin that names the socket', () => {
  const starters = [...conf].filter(([key]) => key.endsWith('_start_cmd')).map(([, command]) => command);
  const sockets = new Map<string, string[]>();
  for (const plugin of own) {
    const socket = conf.get(`pluginserver_${plugin.replaceAll('-', '_')}_socket`) as string;
    sockets.set(socket, [...(sockets.get(socket) ?? []), plugin]);
  }
  assert.equal(starters.length, sockets.size);
  for (const [socket, plugins] of sockets) {
    const [command, ...more] = starters.filter((text) => text.includes(`--socket ${socket}`)) as [string];
    assert.deepEqual(more, []);
    const served = [...command.matchAll(/--plugin (\S+)/g)].map((match) => match[1]);
    assert.deepEqual(served, plugins);
  }
});

test('what the image has written down depends on no variable that kong.env might set', () => {
  const pattern = /grep '(.+)' \/etc\/kong\/kong\.conf/.exec(dockerfile)?.[1] as string;
  const asked = [...conf].filter(([key]) => new RegExp(pattern).test(key)).map(([, command]) => command);
  assert.equal(asked.length, 3);
  const dumped = (command: string, env: NodeJS.ProcessEnv) =>
    execFileSync(process.execPath, [...NODE_CLI, ...command.split(' ').slice(1)], { cwd: root, env });
  const variables = parseEnv(read('kong.env.example').replaceAll(/^# ?(?=[A-Z_]+=)/gm, ''));
  for (const command of asked) {
    assert.deepEqual(
      dumped(command, { ...variables, CUSTOMER_VERIFICATION_PRIORITY: '1001' }),
      dumped(command, {}),
    );
  }
});

test('the installed program answers with what is written down, and asks node for the rest', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-installed-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'kong-ts-pluginserver');
  const script = read('docker/kong-ts-pluginserver')
    .replaceAll('/opt/kong-ts-pluginserver/dumps', `${folder}/dumps`)
    .replaceAll('/usr/local/bin/node', '/bin/echo node');
  writeFileSync(program, script, { mode: 0o755 });
  const file = `${folder}/dumps/--dump --plugin a --socket /run/a.sock.json`;
  mkdirSync(dirname(file), { recursive: true });
  // As Kong starts it: without an environment.
  const answer = (...args: string[]) => execFileSync(program, args, { encoding: 'utf8', env: {} });
  // So it is while the answer is being written.
  writeFileSync(file, '');
  assert.match(answer('--dump', '--plugin', 'a', '--socket', '/run/a.sock'), /^node /);
  writeFileSync(file, 'written down');
  assert.equal(answer('--dump', '--plugin', 'a', '--socket', '/run/a.sock'), 'written down');
  assert.match(answer('--dump', '--plugin', 'a', '--socket', '/run/b.sock'), /^node -- .* --plugin a /);
  assert.match(answer('serve', '--plugin', 'a', '--socket', '/run/a.sock'), /^node -- .* serve --plugin a /);
  assert.match(answer(), /^node -- \S+\n$/);
});

test('every query_cmd yields one plugin as JSON, over the protocol that fails closed', () => {
  for (const plugin of own) {
    const command = conf.get(`pluginserver_${plugin.replaceAll('-', '_')}_query_cmd`) as string;
    const [program, ...args] = command.split(' ');
    assert.equal(program, INSTALLED);
    const output = execFileSync(process.execPath, [...NODE_CLI, ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env.PATH },
    });
    const { Protocol, Plugins } = JSON.parse(output);
    assert.equal(Protocol, 'ProtoBuf:1');
    assert.deepEqual(
      Plugins.map(({ Name }: { Name: string }) => Name),
      [plugin],
    );
  }
});

test('the start commands are understood', async () => {
  const { parseServeFlags } = await import('../src/server/flags.js');
  for (const [key, command] of conf) {
    if (!key.endsWith('_start_cmd')) continue;
    const [program, word, ...args] = command.split(' ');
    assert.equal(program, INSTALLED);
    assert.equal(word, 'serve');
    assert.equal(parseServeFlags(args).dump, undefined);
  }
});

test('every path that one file names is created by another', () => {
  const copied = [...dockerfile.matchAll(/^COPY .*?(\S+) (\S+)$/gm)].map(([, from, to]) => [from, to]);
  const targets = copied.map(([, to]) => to);
  assert.ok(targets.includes(INSTALLED));
  assert.ok(targets.includes('/etc/kong/kong.conf'));
  assert.ok(targets.includes(conf.get('declarative_config')));
  for (const [from] of copied) {
    if (from?.startsWith('/')) continue;
    assert.ok(existsSync(`${root}${from}`), `Dockerfile copies ${from}`);
    const kept = read('.dockerignore').includes(`!${from?.split('/')[0]}`);
    assert.ok(kept, `.dockerignore keeps ${from} out`);
  }
  // The wrapper runs what the build stage makes: node, and the compiled command line.
  const [, node, cli] = /^exec (\S+) -- (\S+) /m.exec(
    read('docker/kong-ts-pluginserver'),
  ) as unknown as string[];
  assert.ok(targets.includes(node));
  const bin = JSON.parse(read('package.json')).bin['kong-ts-pluginserver'];
  assert.equal(cli, `/opt/kong-ts-pluginserver/${bin}`);
  assert.match(dockerfile, /USER kong\n$/);

  for (const mount of [...compose.services.kong.volumes, ...compose.services.postgres.volumes]) {
    const source = typeof mount === 'string' ? mount.split(':')[0] : fallback(mount.source);
    if (source?.startsWith('./'))
      assert.ok(existsSync(`${root}${source}`), `docker-compose mounts ${source}`);
    else assert.ok(source !== undefined && source in compose.volumes, `volume ${source}`);
  }
});

test('the containers agree on names, ports and the database', async () => {
  const env = parseEnv(read('kong.env.example'));
  assert.equal(env.SERVER_DB_HOST, 'postgres');
  assert.ok('postgres' in compose.services);
  assert.deepEqual(
    [env.SERVER_DB_DATABASE, env.SERVER_DB_USER, env.SERVER_DB_PASSWORD],
    [env.POSTGRES_DB, env.POSTGRES_USER, env.POSTGRES_PASSWORD],
  );
  const { DEFAULT_ENV_FILE } = await import('../plugins/customer-verification/environment.js');
  assert.ok(
    compose.services.kong.volumes.some(({ target }: { target?: string }) => target === DEFAULT_ENV_FILE),
  );

  const upstream = new URL(parseYaml(read('kong.yml')).services[0].url);
  assert.ok(upstream.hostname in compose.services);
  assert.equal(compose.services[upstream.hostname].environment.HTTP_PORT, upstream.port);

  const published = Object.values(compose.services as Record<string, { ports?: string[] }>).flatMap(
    (s) => s.ports ?? [],
  );
  const open = published.filter((port) => !port.startsWith('127.0.0.1:'));
  assert.deepEqual(open, ['8000:8000']);
  assert.match(conf.get('proxy_listen') ?? '', /:8000$/);
  assert.match(conf.get('admin_listen') ?? '', /^127\.0\.0\.1:/);
});

test('kong.yml uses only plugins that kong.conf has, and carries the guard', () => {
  const { plugins } = parseYaml(read('kong.yml')) as {
    plugins: { name: string; config: { access?: string[] } }[];
  };
  const bundled = new Set(['pre-function', 'post-function']);
  for (const { name } of plugins) assert.ok(own.includes(name) || bundled.has(name), name);
  const guard = plugins.find(({ name }) => name === 'post-function');
  assert.match(guard?.config.access?.join('\n') ?? '', /if not kong\.ctx\.shared\.customer_verified then/);
});

test('the sidecar is built as the image of both is, and its files name what is there', () => {
  const sidecar = read('Dockerfile.sidecar');
  const buildOf = (text: string) => /AS build\n(.*?)\n\nFROM/s.exec(text)?.[1];
  assert.equal(buildOf(sidecar), buildOf(dockerfile));
  const copied = (text: string) => [...text.matchAll(/^COPY --from=build (\S+)/gm)].map(([, from]) => from);
  assert.deepEqual(
    ['/usr/local/bin/node', ...copied(sidecar)],
    copied(dockerfile),
    'node is in the sidecar already',
  );
  const { services, volumes } = parseYaml(read('docker-compose.sidecar.yml'));
  for (const { build } of [services.verification, services.functions]) {
    assert.ok(existsSync(`${root}${build.dockerfile}`));
  }
  for (const { volumes: mounts = [] } of Object.values(services as Record<string, { volumes?: unknown[] }>)) {
    for (const mount of mounts) {
      const source = typeof mount === 'string' ? mount.split(':')[0] : (mount as { source: string }).source;
      if (source?.startsWith('./')) assert.ok(existsSync(`${root}${source}`), source);
      else assert.ok(source !== undefined && source in volumes, `volume ${source}`);
    }
  }
  assert.equal(services.kong.build, undefined, "Kong's image is unchanged");
});

test('docker-compose.sidecar.yml says to Kong what conf --sidecar prints for what the sidecars serve', async () => {
  const { parseServeFlags } = await import('../src/server/flags.js');
  const { kongSettings } = await import('../src/plugin/kong-conf.js');
  const { services } = parseYaml(read('docker-compose.sidecar.yml'));
  const expected: Record<string, string> = {};
  const names: string[] = [];
  for (const { command, healthcheck } of [services.verification, services.functions]) {
    const [word, ...args] = (command as string).split(' ');
    assert.equal(word, 'serve');
    const flags = parseServeFlags(args);
    assert.deepEqual([flags.socketMode, flags.lingerMs], [0o660, 0]);
    assert.deepEqual(healthcheck.test.slice(1), ['kong-ts-pluginserver', 'health', '--socket', flags.socket]);
    const plugins = flags.plugins as string[];
    names.push(...plugins);
    const settings = kongSettings({
      plugins,
      command: INSTALLED,
      pluginsDirectory: undefined,
      socket: flags.socket,
      workers: 1,
      envFile: undefined,
      dumps: flags.writeDump,
    });
    for (const [setting, value] of settings) expected[`KONG_${setting.toUpperCase()}`] = value;
  }
  expected.KONG_PLUGINS = ['bundled', ...names].join(',');
  expected.KONG_PLUGINSERVER_NAMES = names.map((name) => name.replaceAll('-', '_')).join(',');
  const said = Object.entries(services.kong.environment as Record<string, string>);
  assert.deepEqual(Object.fromEntries(said.filter(([name]) => /^KONG_PLUGIN/.test(name))), expected);
  for (const wanted of ['verification', 'functions']) {
    assert.equal(services.kong.depends_on[wanted].condition, 'service_healthy');
  }
});
