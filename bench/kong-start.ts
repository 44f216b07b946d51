import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pluginCatalog } from '../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../src/gateway/config/parse.js';
import { createGateway } from '../src/gateway/gateway.js';
import { createPluginCaller } from '../src/gateway/rpc/create-caller.js';
import { signedHeaders, startCustomers } from '../test/faults/rig.js';
import { pluginDefinition } from '../test/plugins/customer-verification/rig.js';
import { processTree } from './processor.js';

// What `kong start` waits for, and what it starts, as the kong.conf of a checkout says: the query_cmds one after the
// other, then the start_cmds, then one request after the other until one is let through. What the image of the
// Dockerfile has written at its build is read, not asked. With a second checkout, built as this one is, both in turns:
//
//     node --import tsx bench/kong-start.ts 5 ../before

const AGAIN_MS = 20;
const ROOT = resolve(import.meta.dirname, '..');
const [rounds = '5', ...others] = process.argv.slice(2);

interface Sample {
  readonly queriesMs: number;
  readonly firstAnswerMs: number;
  readonly refused: number;
  readonly processes: number;
}

function settings(root: string): [string, string][] {
  return readFileSync(join(root, 'kong.conf'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('pluginserver_'))
    .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]);
}

/** Until a good request is let through; how many were not. */
async function firstAnswer(socketPath: string, upstreamPort: number): Promise<number> {
  const plugins = [pluginDefinition()];
  const route = { name: 'all', paths: ['/'], plugins: [{ name: 'customer-verification' }] };
  const services = [{ name: 'upstream', url: `http://127.0.0.1:${upstreamPort}`, routes: [route] }];
  const text = JSON.stringify({ _format_version: '3.0', services });
  const { config } = parseDeclarativeConfig(text, 'kong-start', pluginCatalog(plugins));
  const log = () => {};
  const caller = createPluginCaller('protobuf', { socketPath, log });
  const gateway = await createGateway({ config, plugins, caller, log, port: 0 });
  const { port } = await gateway.listen();
  for (let refused = 0; ; refused++) {
    const status = await new Promise((answered, failed) => {
      http
        .get({ port, host: '127.0.0.1', headers: signedHeaders('good', 1), agent: false }, (response) => {
          response.resume().on('end', () => answered(response.statusCode));
        })
        .on('error', failed);
    });
    if (status === 200) {
      caller.close();
      await gateway.close();
      return refused;
    }
    await new Promise((again) => setTimeout(again, AGAIN_MS));
  }
}

async function start(root: string, env: NodeJS.ProcessEnv, upstreamPort: number): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'kts-start-'));
  const entries = settings(root).map(
    ([key, value]) => [key, value.replaceAll('/usr/local/kong', folder)] as const,
  );
  const command = (value: string) => [
    '--',
    join(root, 'bin/kong-ts-pluginserver.cjs'),
    ...value.split(' ').slice(1),
  ];
  const ask = (value: string) =>
    execFileSync(process.execPath, command(value), { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const isWritten = readFileSync(join(root, 'docker/kong-ts-pluginserver'), 'utf8').includes('/dumps/');
  const dumpOf = (key: string) =>
    isWritten && key.startsWith('pluginserver_js_') ? join(folder, `${key}.json`) : undefined;
  const queries = entries.filter(([key]) => key.endsWith('_query_cmd'));
  for (const [key, value] of queries) {
    const dump = dumpOf(key);
    if (dump !== undefined) writeFileSync(dump, ask(value));
  }

  const startedAt = performance.now();
  for (const [key, value] of queries) {
    const dump = dumpOf(key);
    if (dump === undefined) ask(value);
    else execFileSync('/bin/cat', [dump]);
  }
  const queriesMs = performance.now() - startedAt;
  const servers = entries
    .filter(([key]) => key.endsWith('_start_cmd'))
    .map(([, value]) => spawn(process.execPath, command(value), { env, stdio: 'ignore' }));
  const socket = entries.find(([key]) => key.endsWith('verification_socket'))?.[1] as string;
  const refused = await firstAnswer(socket, upstreamPort);
  const firstAnswerMs = performance.now() - startedAt - queriesMs;
  const all = servers.flatMap(({ pid }) => processTree(pid as number));
  for (const pid of all) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  return { queriesMs, firstAnswerMs, refused, processes: all.length };
}

const median = (values: number[]) => Math.round(values.sort((a, b) => a - b)[values.length >> 1] ?? 0);

const postgres = await startCustomers();
const upstream = http.createServer((_request, response) => response.end('upstream'));
await new Promise<void>((listening) => upstream.listen(0, '127.0.0.1', listening));
const samples = new Map<string, Sample[]>(
  [...others.map((root) => resolve(root)), ROOT].map((root) => [root, []]),
);
for (let round = 0; round < Number(rounds); round++) {
  for (const [root, taken] of samples) {
    taken.push(
      await start(
        root,
        { PATH: process.env.PATH, ...postgres.env },
        (upstream.address() as AddressInfo).port,
      ),
    );
  }
}
for (const [root, taken] of samples) {
  const of = (key: keyof Sample) => median(taken.map((sample) => sample[key]));
  process.stdout.write(
    `${root}: ${of('queriesMs')} ms for the query_cmds, then ${of('firstAnswerMs')} ms until the first good answer ` +
      `(${of('refused')} refused before it), ${of('processes')} processes\n`,
  );
}
upstream.close();
await postgres.dispose();
