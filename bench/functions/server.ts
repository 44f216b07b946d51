import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliProcess } from '../../test/support/cli.js';
import { cpuMicroseconds, pinned, processTree, residentBytes } from '../processor.js';

const PLUGINS = join(import.meta.dirname, 'plugin');

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
  const args = ['serve', '-d', PLUGINS, '--socket', socketPath, '--linger', '0'];
  const server = new CliProcess(args, { runner: pinned(cpu, []) });
  const killed = () => server.child.kill('SIGKILL');
  process.once('exit', killed);
  await server.said(/server started/);
  let pids: number[] = [];
  const tree = () => {
    if (pids.length === 0) pids = processTree(server.pid);
    return pids;
  };
  return {
    socketPath,
    cpuMicroseconds: () => cpuMicroseconds(tree()),
    residentBytes: () => residentBytes([server.pid]),
    stop: async () => {
      process.off('exit', killed);
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
