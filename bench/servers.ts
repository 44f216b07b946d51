import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Load } from './driver/load.js';
import { PLUGIN } from './driver/requests.js';
import { pinned, processTree, residentBytes, type Usage, usage } from './processor.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const PLUGINS = join(here, 'plugin');
export const OURS = join(root, 'dist', 'src', 'cli.js');
const STOCK = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');
const START_TIMEOUT = 120_000;
const PROFILE_TIMEOUT = 30_000;

export const CONTESTANTS = ['ours-protobuf', 'ours-msgpack', 'stock', 'floor'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

export const TITLES: Record<Contestant, string> = {
  'ours-protobuf': 'ours, ProtoBuf',
  'ours-msgpack': 'ours, MsgPack',
  stock: 'kong-pdk 0.6.0',
  floor: 'bare socket',
};

/** A running server of the comparison. */
export interface RunningServer {
  contestant: Contestant;
  dialect: Load['dialect'];
  /** 0 for the floor, which knows none. */
  instances(wanted: number): number;
  socket(outcome: Load['outcome']): string;
  /** Since its start. */
  usage(): Usage;
  residentBytes(): number;
  /** Its processes. */
  pids(): number[];
  stop(): Promise<void>;
}

export interface StartOptions {
  /** CPUs to run on; anywhere without. */
  cpu?: string | undefined;
  /** A folder for CPU profiles of ours. */
  profile?: string | undefined;
  /** More flags for ours. */
  flags?: string[];
}

/** The command that prints the plugin's description for Kong. */
export function dumpCommand(contestant: 'ours-protobuf' | 'stock'): string[] {
  return contestant === 'stock'
    ? [process.execPath, STOCK, '-d', PLUGINS, '--dump-all-plugins']
    : [process.execPath, OURS, '--dump', '--plugin', PLUGIN, '-d', PLUGINS];
}

/** Starts a server in a folder of its own and resolves when its socket accepts connections. */
export async function startServer(
  contestant: Contestant,
  options: StartOptions = {},
): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kong-bench-'));
  const path = join(folder, 'server.sock');
  const rejecting = contestant === 'floor' ? join(folder, 'rejecting.sock') : path;
  const command = pinned(options.cpu, commandOf(contestant, folder, path, rejecting, options));
  const child = spawn(command[0] as string, command.slice(1), {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Whatever ends the benchmark, no server outlives it.
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  let output = '';
  const collect = (chunk: Buffer) => {
    if (output.length < 10_000) output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const stop = async () => {
    if (options.profile !== undefined && contestant.startsWith('ours'))
      await profiled(child, options.profile);
    await stopped(child);
    process.off('exit', killed);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listening(child, rejecting, () => output);
  } catch (error) {
    await stop();
    throw error;
  }
  let tree: number[] = [];
  const pids = () => {
    // Worker processes are there when the socket is; looking for them each time would cost the driver's CPU.
    if (tree.length === 0) tree = processTree(child.pid as number);
    return tree;
  };
  return {
    contestant,
    dialect: contestant === 'ours-protobuf' || contestant === 'floor' ? 'protobuf' : 'msgpack',
    instances: (wanted) => (contestant === 'floor' ? 0 : wanted),
    socket: (outcome) => (outcome === 'rejected' ? rejecting : path),
    usage: () => usage(pids()),
    residentBytes: () => residentBytes(pids()),
    pids,
    stop,
  };
}

function commandOf(
  contestant: Contestant,
  folder: string,
  path: string,
  rejecting: string,
  { profile, flags = [] }: StartOptions,
): string[] {
  switch (contestant) {
    case 'floor':
      return [process.execPath, join(here, 'floor.mjs'), '--verified', path, '--rejected', rejecting];
    case 'stock':
      return [process.execPath, STOCK, '-d', PLUGINS, '-p', folder, '--sock-name', 'server.sock'];
    default: {
      const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
      const serving = [OURS, 'serve', '-d', PLUGINS, '--plugin', PLUGIN, '--socket', path];
      return [process.execPath, ...profiling, ...serving, ...flags];
    }
  }
}

async function listening(child: ChildProcess, path: string, output: () => string): Promise<void> {
  const until = Date.now() + START_TIMEOUT;
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  while (Date.now() < until) {
    if (failed !== undefined) throw failed;
    if (child.exitCode !== null) throw new Error(`the server exited with ${child.exitCode}:\n${output()}`);
    if (existsSync(path) && (await accepts(path))) return;
    await pause(2);
  }
  throw new Error(`no server at ${path} after ${START_TIMEOUT / 1000} s:\n${output()}`);
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Ends the workers, which are killed otherwise, and waits for what they write then. */
async function profiled(child: ChildProcess, folder: string): Promise<void> {
  const workers = processTree(child.pid as number).filter((pid) => pid !== child.pid);
  for (const worker of workers) process.kill(worker, 'SIGTERM');
  const until = Date.now() + PROFILE_TIMEOUT;
  const written = () =>
    workers.filter((pid) => readdirSync(folder).some((file) => file.includes(`.${pid}.`)));
  while (written().length < workers.length && Date.now() < until) await pause(20);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // By SIGTERM ours would leave its workers serving for a while, as a Kong that reloads wants it.
  child.kill('SIGINT');
  const last = setTimeout(() => child.kill('SIGKILL'), 2000);
  await ended;
  clearTimeout(last);
}
