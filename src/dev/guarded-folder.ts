import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isReachableByAll } from './unprivileged.js';

/**
 * Runs beside us and reads our pipe. When it ends, for whatever reason (kill -9 included), it stops the processes
 * named last and every PostgreSQL whose data lies in the folder, then removes the folder.
 */
const GUARD_SCRIPT = `
folder=$1
pids=
while read -r line; do pids=$line; done
[ -d "$folder" ] || exit 0
for file in "$folder"/*/postmaster.pid; do
  if [ -f "$file" ]; then
    read -r postmaster < "$file"
    kill -CONT "$postmaster" 2>/dev/null
    kill -QUIT "$postmaster" 2>/dev/null
    pids="$pids $postmaster"
  fi
done
for pid in $pids; do kill -CONT "$pid" 2>/dev/null; kill -TERM "$pid" 2>/dev/null; done
tries=0
for pid in $pids; do
  while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 50 ]; then kill -KILL "$pid" 2>/dev/null; break; fi
    sleep 0.1
  done
done
rm -rf -- "$folder"
`;

/** A fresh temporary folder that does not outlive this process, however the process ends. */
export class GuardedFolder {
  private constructor(
    readonly path: string,
    private readonly guard: ChildProcess,
  ) {}

  /** Creates the folder under the system's temporary folder; processes of other users may pass through it. */
  static async create(): Promise<GuardedFolder> {
    const parent = isReachableByAll(tmpdir()) || process.getuid?.() !== 0 ? tmpdir() : '/tmp';
    const path = await mkdtemp(join(parent, 'kong-ts-pluginserver-'));
    await chmod(path, 0o711);
    const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'guard', path], {
      cwd: dirname(path),
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Its pipe breaks when the guard is killed; the folder is then removed by remove() alone.
    guard.stdin?.on('error', () => undefined);
    await once(guard, 'spawn');
    guard.unref();
    return new GuardedFolder(path, guard);
  }

  /** Names the processes to stop should this process die before it calls {@link remove}; replaces the last list. */
  protect(pids: readonly number[]): void {
    this.guard.stdin?.write(`${pids.join(' ')}\n`);
  }

  /** Removes the folder and ends the guard. Call it when the processes that use the folder are gone. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
    if (this.guard.exitCode !== null || this.guard.signalCode !== null) return;
    this.guard.ref();
    const ended = once(this.guard, 'exit');
    this.guard.stdin?.end('\n');
    await ended;
  }
}
