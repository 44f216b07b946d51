import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { type EchoUpstream, startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { createGateway, type Gateway } from '../../src/gateway/gateway.js';
import type { PluginCaller } from '../../src/gateway/plugin-port.js';
import { createPluginCaller } from '../../src/gateway/rpc/create-caller.js';
import type { ExchangeRecord } from '../../src/inspector/record.js';
import { Recorder } from '../../src/inspector/recorder.js';
import type { Kong } from '../../src/pdk/types.js';
import { definePlugin } from '../../src/plugin/define.js';
import { createLog } from '../../src/server/log.js';
import { PluginServer } from '../../src/server/server.js';
import { OwnSocket } from '../../src/server/socket/own-socket.js';

class Probe {
  async access(kong: Kong): Promise<void> {
    const what = await kong.request.getHeader('x-do');
    await kong.log.notice('does ', String(what));
    if (what === 'throw') throw new Error('no luck');
    if (what === 'exit') await kong.response.exit(403, 'no', { 'x-why': 'wish' });
    if (what === 'hang') await new Promise(() => undefined);
    if (what === 'change') {
      kong.service.request.setHeader('x-one', 'é');
      kong.service.request.clearHeader('x-do');
      await kong.service.request.setRawBody(Buffer.from('instead'));
    }
    if (what === 'refused') await kong.service.request.setMethod('NONSENSE');
  }

  async log(kong: Kong): Promise<void> {
    if ((await kong.request.getHeader('x-do')) === 'throw-late') throw new Error('too late');
  }
}

let folder: string;
let echo: EchoUpstream;
let server: PluginServer;
let caller: PluginCaller;
let gateway: Gateway;
let url: string;
const records: ExchangeRecord[] = [];
const waiting: (() => void)[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recorder-'));
  echo = await startEchoUpstream();
  const definition = definePlugin({
    name: 'probe',
    version: '1.0.0',
    priority: 5,
    schema: [{ flavour: { type: 'string', default: 'plain' } }],
    Plugin: Probe,
  });
  const recorder = new Recorder({
    onEnd: (record) => {
      records.push(record);
      for (const wake of waiting.splice(0)) wake();
    },
  });
  server = new PluginServer({
    plugins: [definition],
    log: { ...createLog('error', () => undefined), error: (text) => void recorder.serverLogged(text) },
    eventDeadlineMs: 100,
  });
  const socketPath = join(folder, 'plugins.sock');
  await server.listen(new OwnSocket(socketPath));
  caller = createPluginCaller('protobuf', { socketPath });
  const plugins = [{ name: 'probe', priority: 5, phases: definition.phases, schema: definition.schema }];
  const { config } = parseDeclarativeConfig(
    `_format_version: "3.0"
services:
  - name: echo
    url: http://127.0.0.1:${echo.port}
    routes:
      - name: all
        paths: ["/"]
plugins:
  - name: probe
`,
    'kong.yml',
    pluginCatalog(plugins),
  );
  const log = () => undefined;
  gateway = await createGateway({ config, plugins, caller, log, port: 0, observe: recorder.observe });
  url = `http://127.0.0.1:${(await gateway.listen()).port}`;
});

after(async () => {
  await gateway.close();
  caller.close();
  server.close();
  await echo.close();
  await rm(folder, { recursive: true });
});

/** The record of one request, once its log phase is over. */
async function exchange(what: string, init: RequestInit = {}): Promise<ExchangeRecord> {
  records.length = 0;
  const ended = new Promise<void>((resolve) => waiting.push(resolve));
  const response = await fetch(`${url}/some?q=1`, { ...init, headers: { 'x-do': what } });
  await response.text();
  await ended;
  return records[0] as ExchangeRecord;
}

const outcomes = ({ runs }: ExchangeRecord) =>
  runs.map(({ plugin, phase, outcome }) => `${plugin} ${phase} ${outcome}`);

test('what client, upstream and plugins said is in the record', async () => {
  const record = await exchange('change', { method: 'POST', body: 'from the client' });
  assert.equal(record.state, 'ended');
  assert.deepEqual([record.request.method, record.request.target], ['POST', '/some?q=1']);
  assert.equal(record.request.body.bytes, 15);
  assert.deepEqual([record.route?.name, record.service?.name], ['all', 'echo']);
  assert.deepEqual(
    record.phases.map(({ name }) => name),
    ['rewrite', 'access', 'upstream', 'log'],
  );
  for (const { startedAt, endedAt } of record.phases) assert.ok(startedAt <= (endedAt ?? -1));
  assert.deepEqual(outcomes(record), ['probe access changed', 'probe log passed']);

  const [access] = record.runs;
  assert.deepEqual(access?.config, { flavour: 'plain' });
  assert.ok((access?.instanceId ?? 0) > 0);
  assert.deepEqual(
    access?.calls.map(({ method, args, answer }) => [method, args, answer]),
    [
      ['kong.request.get_header', ['x-do'], 'change'],
      ['kong.log.notice', ['does ', 'change'], undefined],
      ['kong.service.request.set_header', ['x-one', 'é'], undefined],
      ['kong.service.request.clear_header', ['x-do'], undefined],
      ['kong.service.request.set_raw_body', ['instead'], undefined],
    ],
  );

  assert.equal(record.upstreamRequest?.body.content.toString(), 'instead');
  assert.equal(record.upstreamRequest?.url, `http://127.0.0.1:${echo.port}`);
  const sent = new Map(record.upstreamRequest?.headers.map(([name, value]) => [name.toLowerCase(), value]));
  assert.equal(Buffer.from(sent.get('x-one') ?? '', 'latin1').toString(), 'é');
  assert.ok(!sent.has('x-do'));
  assert.equal(record.upstreamResponse?.status, 200);
  assert.match(record.upstreamResponse?.body.content.toString() ?? '', /"body":"instead"/);
  assert.deepEqual(record.response?.body.content, record.upstreamResponse?.body.content);
  assert.deepEqual(
    record.log.map(({ level, plugin, phase, text }) => [level, plugin, phase, text]),
    [['notice', 'probe', 'access', 'does change']],
  );
});

test('calls that left the server in one write have one number', async () => {
  const { runs } = await exchange('change', { method: 'POST', body: 'x' });
  const [header, log, set, clear, body] = runs[0]?.calls.map(({ write }) => write) ?? [];
  assert.equal(header, 1);
  assert.ok(log !== undefined && log > 1);
  assert.deepEqual([clear, body], [set, set]);
});

test('an exit says which plugin ended the request', async () => {
  const record = await exchange('exit');
  assert.deepEqual(outcomes(record), ['probe access exited', 'probe log passed']);
  assert.deepEqual(record.runs[0]?.calls.at(-1)?.args, [403, 'no', { 'x-why': 'wish' }]);
  assert.equal(record.upstreamRequest, undefined);
  assert.equal(record.response?.status, 403);
  assert.equal(record.response?.body.content.toString(), 'no');
});

test('an exception has its message, stack and place', async () => {
  const record = await exchange('throw');
  assert.deepEqual(outcomes(record), ['probe access threw', 'probe log passed']);
  const error = record.runs[0]?.error;
  assert.match(error?.message ?? '', /no luck/);
  assert.match(error?.stack ?? '', /Error: no luck\n\s+at Probe.access/);
  assert.match(error?.file ?? '', /recorder\.test\.ts$/);
  assert.ok((error?.line ?? 0) > 0);
  assert.equal(record.response?.status, 500);
});

test('an exception in the log phase is one, though the client does not see it', async () => {
  const record = await exchange('throw-late');
  assert.deepEqual(outcomes(record), ['probe access passed', 'probe log threw']);
  assert.match(record.runs[1]?.error?.message ?? '', /too late/);
  assert.equal(record.response?.status, 200);
});

test('a handler that hangs ends at its deadline', async () => {
  const record = await exchange('hang');
  assert.deepEqual(outcomes(record), ['probe access deadline', 'probe log passed']);
  assert.match(record.runs[0]?.error?.message ?? '', /longer than 100 ms/);
});

test('a call that Kong refuses has its reason', async () => {
  const record = await exchange('refused');
  assert.deepEqual(outcomes(record), ['probe access failed', 'probe log passed']);
  assert.match(record.runs[0]?.calls.at(-1)?.error ?? '', /invalid method: NONSENSE/);
});

test('a body beyond the limit is kept in part, and its length is known', async () => {
  const record = await exchange('pass', { method: 'POST', body: Buffer.alloc(100_000, 'x') });
  const { body } = record.request;
  assert.deepEqual([body.bytes, body.content.length, body.complete], [100_000, 65_536, false]);
  assert.deepEqual(record.upstreamRequest?.body.bytes, 100_000);
});

test('an unknown instance is a run of its own, and the next one is another', async () => {
  const first = (await exchange('pass')).runs[0]?.instanceId as number;
  await server.closeInstance(first);
  const record = await exchange('pass');
  assert.deepEqual(outcomes(record), ['probe access retried', 'probe access passed', 'probe log passed']);
  assert.equal(record.runs[0]?.instanceId, first);
  assert.notEqual(record.runs[1]?.instanceId, first);
});
