import childProcess, { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const STDOUT = 1;
const STDERR = 2;
const STDOUT_PATHS = new Set<unknown>(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']);

/** The functions of `fs` and `fs.promises` whose first argument may mean standard output. */
const WRITERS = ['write', 'writeSync', 'writev', 'writevSync', 'writeFile', 'writeFileSync'] as const;
const MORE_WRITERS = ['appendFile', 'appendFileSync', 'open', 'openSync', 'createWriteStream'] as const;
const SYNC_SPAWNERS = ['spawnSync', 'execSync', 'execFileSync'] as const;

type AnyFunction = (...args: unknown[]) => unknown;

/**
 * Keeps standard output for one writer: from here on, whatever else this process writes there goes to standard error,
 * be it through `console`, `process.stdout`, `fs`, or a child process that inherits it. One stray line on standard
 * output of a query command and Kong does not start. Not covered: native code, and `fs` in worker threads.
 *
 * @returns writes text to standard output, all of it before it returns, on pipes, too
 */
export function reserveStdout(): (text: string) => void {
  const { writeSync } = fs;
  const stderr = process.stderr;
  process.stdout.write = stderr.write.bind(stderr);

  for (const name of [...WRITERS, ...MORE_WRITERS]) redirectTarget(fs, name);
  for (const name of ['writeFile', 'appendFile', 'open'] as const) redirectTarget(fs.promises, name);
  for (const name of SYNC_SPAWNERS) redirectStdio(childProcess, name);
  redirectStdio(ChildProcess.prototype, 'spawn');
  syncBuiltinESMExports();

  return (text) => {
    const bytes = Buffer.from(text, 'utf8');
    for (let sent = 0; sent < bytes.length; ) {
      try {
        sent += writeSync(STDOUT, bytes, sent);
      } catch (error) {
        // A pipe that nobody has emptied yet, where the other end made it non-blocking.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  };
}

function redirectTarget(owner: object, name: string): void {
  patch(owner, name, ([target, ...rest]) => [
    target === STDOUT ? STDERR : STDOUT_PATHS.has(target) ? '/dev/stderr' : target,
    ...rest.map((argument) =>
      isObject(argument) && argument.fd === STDOUT ? { ...argument, fd: STDERR } : argument,
    ),
  ]);
}

function redirectStdio(owner: object, name: string): void {
  patch(owner, name, (args) =>
    args.map((argument) =>
      isObject(argument) && 'stdio' in argument
        ? { ...argument, stdio: withoutStdout(argument.stdio) }
        : argument,
    ),
  );
}

function withoutStdout(stdio: unknown): unknown {
  if (stdio === undefined || stdio === null) return stdio;
  const streams: unknown[] = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio];
  const isStdout = (stream: unknown, index: number) =>
    stream === STDOUT || stream === process.stdout || (stream === 'inherit' && index === STDOUT);
  return streams.map((stream, index) => (isStdout(stream, index) ? STDERR : stream));
}

function patch(owner: object, name: string, change: (args: unknown[]) => unknown[]): void {
  const functions = owner as Record<string, AnyFunction>;
  const original = functions[name] as AnyFunction;
  functions[name] = function redirected(this: unknown, ...args) {
    return original.apply(this, change(args));
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
