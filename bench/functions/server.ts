import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cpuMicroseconds, pinned, processTree, residentBytes } from '../processor.js';

const PLUGINS = join(import.meta.dirname, 'plugin');
const CLI = join(import.meta.dirname, '../../src/cli.ts');

/** A plugin server process with js-pre-function and bench-plain. */
export interface BenchServer {
  readonly socketPath: string;
  cpuMicroseconds(): number;
  residentBytes(): number;
  stop(): Promise<void>;
}

/**
 * Starts the server on a socket of its own and resolves when it accepts connections.
 *
 * @param cpu the CPU to run on; anywhere without
 */
export async function startServer(cpu: string | undefined): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kts-bench-'));
  const socketPath = join(folder, 'bench.sock');
  const node = [process.execPath, '--import', 'tsx', CLI, 'serve', '-d', PLUGINS, '--socket', socketPath];
  const [command = '', ...args] = pinned(cpu, node);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  const ended = once(child, 'exit');
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (line.includes('server started')) resolve();
        else if (line.includes('[error]')) process.stderr.write(`${line}\n`);
      });
    }
    ended.then(() => reject(new Error(`the server ended:\n${lines.join('\n')}`)), reject);
  });
  let pids: number[] = [];
  const tree = () => {
    if (pids.length === 0) pids = processTree(child.pid as number);
    return pids;
  };
  return {
    socketPath,
    cpuMicroseconds: () => cpuMicroseconds(tree()),
    residentBytes: () => residentBytes([child.pid as number]),
    stop: async () => {
      process.off('exit', killed);
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
