import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { residentBytes } from '../../../bench/processor.js';
import * as preFunction from '../../../plugins/js-pre-function.js';
import { pluginCatalog } from '../../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../../src/gateway/config/parse.js';
import { startEchoUpstream } from '../../../src/gateway/echo-upstream.js';
import { createGateway } from '../../../src/gateway/gateway.js';
import { createPluginCaller } from '../../../src/gateway/rpc/create-caller.js';
import { definePlugin } from '../../../src/plugin/define.js';
import { signedHeaders, startCustomers } from '../../faults/rig.js';
import { CliProcess } from '../../support/cli.js';
import { pluginDefinition } from '../customer-verification/rig.js';
import { given, HOSTILE } from './sandbox/hostile-cases.js';

/** Client bodies that a refusal is to give back, and that cannot be given back, or hardly. */
const BODIES = [
  '{"__proto__":{"a":1}}',
  `${'['.repeat(70)}${']'.repeat(70)}`,
  `[${Array(60_000).fill('1').join()}]`,
  `[${Array(800_000).fill('{}').join()}]`,
  `"${'\\u0315\\u0300'.repeat(60_000)}"`,
  '{"a":',
  '{"toJSON":1,"then":1,"constructor":{"prototype":1}}',
];

/** Half of the default: nearly every hostile request takes all of it. */
const LIMITS = { max_cpu_ms: 10 };

/** One hostile request: its path, and the body that it sends. */
interface HostileRequest {
  readonly path: string;
  readonly body: string | undefined;
}

/**
 * Functions that refuse every request: what is hostile comes once before that, or without end, or from the client.
 * A request of any of them that is answered with less than 400 was let through.
 */
function hostileFunctions(): {
  readonly sources: readonly string[];
  readonly requests: readonly HostileRequest[];
} {
  const once = HOSTILE.map(
    (code) => `${given(code, 1 / 20)} try { ${code}; } catch {} kong.response.exit(403, { code: 1 });`,
  );
  const endless = HOSTILE.map((code) => `${given(code)} for (;;) { ${code}; }`);
  const echo = [
    `kong.response.exit(403, { got: JSON.parse((await kong.request.getRawBody()).toString()) });`,
    `const body = JSON.parse((await kong.request.getRawBody()).toString()); kong.response.exit(403, body).catch(() => {});`,
  ];
  const sources = [...echo, ...once, ...endless];
  const requests = sources.flatMap((source, n): HostileRequest[] => {
    const path = `/hostile-${n}`;
    return echo.includes(source) ? BODIES.map((body) => ({ path, body })) : [{ path, body: undefined }];
  });
  return { sources, requests };
}

/** What a series of good requests waited, milliseconds, and how many were not let through. */
export interface Waited {
  readonly requests: number;
  readonly refused: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * One plugin server process with customer-verification and functions of every hostile kind, behind one local gateway.
 */
export class HostileLoad {
  /** Answers to hostile requests, by status. */
  readonly statuses = new Map<number, number>();
  /** Requests whose connection broke. */
  readonly broken: string[] = [];
  readonly #closers: (() => unknown)[] = [];
  #requests: readonly HostileRequest[] = [];
  #port = 0;
  #server: CliProcess | undefined;
  #sent = 0;

  async start(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'kts-hostile-'));
    this.#closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const socketPath = join(folder, 'p.sock');
    const postgres = await startCustomers();
    this.#closers.push(() => postgres.dispose());
    const plugins = ['--plugin', 'customer-verification', '--plugin', 'js-pre-function'];
    const server = new CliProcess(['serve', ...plugins, '--socket', socketPath, '--linger', '0'], {
      env: { ...process.env, ...postgres.env },
    });
    this.#server = server;
    this.#closers.push(() => server.stop('SIGKILL'));
    const upstream = await startEchoUpstream();
    this.#closers.push(() => upstream.close());
    const { sources, requests } = hostileFunctions();
    this.#requests = requests;
    const route = (path: string, name: string, config: object) => ({
      name: path.slice(1),
      paths: [path],
      plugins: [{ name, config }],
    });
    const declarative = {
      _format_version: '3.0',
      services: [
        {
          name: 'upstream',
          url: `http://127.0.0.1:${upstream.port}`,
          routes: [
            route('/good', 'customer-verification', {}),
            ...sources.map((source, n) =>
              route(`/hostile-${n}`, 'js-pre-function', { access: [source], ...LIMITS }),
            ),
          ],
        },
      ],
    };
    const definitions = [pluginDefinition(), definePlugin({ ...preFunction, schema: preFunction.Schema })];
    const { config, problems } = parseDeclarativeConfig(
      JSON.stringify(declarative),
      'hostile.json',
      pluginCatalog(definitions),
    );
    assert.deepEqual(problems, []);
    await server.said(/server started/);
    const log = () => {};
    const caller = createPluginCaller('protobuf', { socketPath, log });
    const gateway = await createGateway({ config, plugins: definitions, caller, log, port: 0 });
    this.#closers.push(
      () => caller.close(),
      () => gateway.close(),
    );
    this.#port = (await gateway.listen()).port;
  }

  /** Memory of the plugin server, megabytes. */
  get memoryMb(): number {
    return residentBytes([this.#server?.pid as number]) / 1024 / 1024;
  }

  /** What the plugin server has written. */
  get serverLog(): string {
    return this.#server?.log ?? '';
  }

  /** Sends hostile requests of all kinds in turn, so many at once. */
  async hostile(count: number, atOnce: number): Promise<void> {
    const last = this.#sent + count;
    const lane = async () => {
      while (this.#sent < last) {
        const { path, body } = this.#requests[this.#sent++ % this.#requests.length] as HostileRequest;
        const status = await this.#ask(path, {}, body);
        this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
  }

  /** Sends good requests while every processor is taken by programs that have nothing to do with this server. */
  async goodBesideBusy(perSecond: number, ms: number): Promise<Waited> {
    const busy = Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    );
    try {
      return await this.good(perSecond, new Promise((resolve) => setTimeout(resolve, ms)));
    } finally {
      for (const child of busy) child.kill('SIGKILL');
    }
  }

  /** Sends good requests at a fixed rate until `done` resolves. */
  async good(perSecond: number, done: Promise<unknown>): Promise<Waited> {
    let over = false;
    const end = done.finally(() => {
      over = true;
    });
    const waits: number[] = [];
    let refused = 0;
    const pending: Promise<void>[] = [];
    const startedAt = performance.now();
    for (let n = 0; !over; n++) {
      const due = startedAt + (n / perSecond) * 1000;
      const early = due - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      // From when it was due: what was sent late has waited, too.
      const answered = this.#ask('/good', signedHeaders('good', n), undefined).then((status) => {
        waits.push(performance.now() - due);
        if (status !== 200) refused++;
      });
      pending.push(answered);
    }
    await Promise.all(pending);
    await end;
    waits.sort((a, b) => a - b);
    const at = (share: number) => waits[Math.floor(waits.length * share)] ?? Number.NaN;
    return { requests: waits.length, refused, p50: at(0.5), p99: at(0.99) };
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  /** @returns the status; 0: the connection broke */
  #ask(path: string, headers: Record<string, string>, body: string | undefined): Promise<number> {
    return new Promise((resolve) => {
      const method = body === undefined ? 'GET' : 'POST';
      http
        .request(
          // A connection each: one that is reset was not merely closed as idle at that moment.
          { port: this.#port, host: '127.0.0.1', path, method, agent: false, headers },
          (response) => {
            response.resume().on('end', () => resolve(response.statusCode ?? 0));
          },
        )
        .on('error', (error) => {
          this.broken.push(`${path}: ${error.message}`);
          resolve(0);
        })
        .end(body);
    });
  }
}
