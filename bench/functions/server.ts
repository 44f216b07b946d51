import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliProcess } from '../../test/support/cli.js';
import { cpuMicroseconds, pinned, processTree, residentBytes } from '../processor.js';

const OWN = join(import.meta.dirname, '../..');

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
 * @param checkout a working tree of this repository whose server it is
 */
export async function startServer(cpu: string | undefined, checkout = OWN): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kts-bench-'));
  const socketPath = join(folder, 'bench.sock');
  const args = [
    'serve',
    '-d',
    join(checkout, 'bench/functions/plugin'),
    '--socket',
    socketPath,
    '--linger',
    '0',
  ];
  const script = join(checkout, 'src/cli.ts');
  const server = new CliProcess(args, { runner: pinned(cpu, []), cwd: checkout, script });
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
