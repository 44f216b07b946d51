import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { methodNamed, PDK_METHODS, PHASE_LETTERS } from '../../src/pdk/methods.js';
import type { Kong } from '../../src/pdk/types.js';
import type { Phase } from '../../src/plugin/definition.js';
import { fakeKong } from '../../src/testing/index.js';

interface Recorded {
  readonly method: string;
  readonly phase: Phase;
  readonly noReply?: string;
  readonly kongErrorLog?: readonly string[];
}

/** What Kong logs of a call that the phase does not have. */
const WRONG_PHASE = /cannot be called in|API disabled/;

for (const protocol of ['protobuf', 'msgpack']) {
  test(`the table's phases are those in which Kong answered over ${protocol}`, () => {
    const file = new URL(`../fixtures/kong-captures/${protocol}/methods.json`, import.meta.url);
    const answered = new Map<string, boolean>();
    for (const { method, phase, noReply, kongErrorLog } of JSON.parse(
      readFileSync(file, 'utf8'),
    ) as Recorded[]) {
      const known = methodNamed(method);
      // An exit is never answered.
      if (known === undefined || known.kind === 'exit') continue;
      const key = `${method} ${phase}`;
      answered.set(
        key,
        (answered.get(key) ?? false) || (noReply === undefined && !WRONG_PHASE.test(String(kongErrorLog))),
      );
    }
    assert.ok(answered.size > 90, `${answered.size} recorded`);
    for (const [key, performed] of answered) {
      const [method, phase] = key.split(' ') as [string, Phase];
      assert.equal(methodNamed(method)?.phases.includes(PHASE_LETTERS[phase]), performed, key);
    }
  });
}

test('certificate over ProtoBuf:1 has log, node, the subsystem, the TLS version, ctx and is_trusted', () => {
  const there = PDK_METHODS.filter(({ phases }) => phases.includes('c')).map(({ wire }) => wire);
  const namespaces = new Set(there.map((wire) => wire.split('.').slice(0, 2).join('.')));
  // Those of the second half are built by this server, or need MsgPack:1.
  assert.deepEqual(
    [...namespaces].sort(),
    [
      ...['kong.ctx', 'kong.ip', 'kong.log', 'kong.nginx', 'kong.node'],
      ...[
        'kong.client',
        'kong.cluster',
        'kong.enterprise_edition',
        'kong.plugin',
        'kong.telemetry',
        'kong.vault',
      ],
    ].sort(),
  );
  assert.deepEqual(
    there.filter((wire) => wire.startsWith('kong.client')),
    ['kong.client.tls.disable_session_reuse', 'kong.client.tls.request_client_certificate'],
  );
});

test('what works in certificate', async () => {
  const { ctx, exit } = await fakeKong({ phase: 'certificate' }).run(async (kong) => {
    assert.equal(await kong.nginx.getSubsystem(), 'http');
    assert.match((await kong.nginx.getTls1_versionStr()) ?? '', /^TLSv1/);
    assert.equal(await kong.ip.isTrusted('10.0.0.1'), false);
    assert.equal(typeof (await kong.node.getId()), 'string');
    await kong.log.notice('choosing');
    await kong.ctx.shared.set('seen', 'yes');
  });
  assert.deepEqual(ctx, { seen: 'yes' });
  assert.equal(exit, undefined);
});

test('what does not: the client, the request, nginx variables; an exit breaks the handshake', async () => {
  const refused: [string, (kong: Kong) => unknown][] = [
    ['kong.client.get_ip', (kong) => kong.client.getIp()],
    ['kong.client.get_forwarded_port', (kong) => kong.client.getForwardedPort()],
    ['kong.request.get_host', (kong) => kong.request.getHost()],
    ['kong.nginx.get_var', (kong) => kong.nginx.getVar('remote_addr')],
  ];
  for (const [wire, call] of refused) {
    await assert.rejects(
      fakeKong({ phase: 'certificate' }).run(async (kong) => void (await call(kong))),
      new RegExp(`${wire.replaceAll('.', '\\.')}: cannot be called in certificate, only in`),
    );
  }
  await assert.rejects(
    fakeKong({ phase: 'certificate' }).run((kong) => kong.response.exit(403)),
    /function cannot be called in certificate phase/,
  );
});

test('preread ends a connection with a status that nginx has for TCP, and sees the client', async () => {
  const { exit } = await fakeKong({ phase: 'preread', client: { ip: '192.0.2.1' } }).run(async (kong) => {
    assert.equal(await kong.nginx.getSubsystem(), 'stream');
    assert.equal(await kong.client.getIp(), '192.0.2.1');
    return kong.response.exit(403, 'not you');
  });
  assert.equal(exit?.status, 403);
  await assert.rejects(
    fakeKong({ phase: 'preread' }).run((kong) => kong.response.exit(401)),
    /only 200, 400, 403, 500, 502 and 503 are accepted/,
  );
});
