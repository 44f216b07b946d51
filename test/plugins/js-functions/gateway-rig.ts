import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as hello from '../../../plugins/hello/index.js';
import * as postFunction from '../../../plugins/js-post-function.js';
import * as preFunction from '../../../plugins/js-pre-function.js';
import * as responseFunction from '../../../plugins/js-response-function.js';
import { pluginCatalog } from '../../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../../src/gateway/config/parse.js';
import {
  type EchoedRequest,
  type EchoUpstream,
  startEchoUpstream,
} from '../../../src/gateway/echo-upstream.js';
import { createGateway } from '../../../src/gateway/gateway.js';
import type { PluginCaller } from '../../../src/gateway/plugin-port.js';
import { createPluginCaller } from '../../../src/gateway/rpc/create-caller.js';
import { definePlugin } from '../../../src/plugin/define.js';
import { type RawRequest, type RawResponse, rawRequest } from '../../gateway/raw-client.js';
import { until } from '../../gateway/support.js';
import { CliProcess } from '../../support/cli.js';

const FUNCTION_PLUGINS = ['js-pre-function', 'js-post-function', 'js-response-function'];
const PLUGINS = [
  definePlugin({ ...preFunction, schema: preFunction.Schema }),
  definePlugin({ ...postFunction, schema: postFunction.Schema }),
  definePlugin({ ...responseFunction, schema: responseFunction.Schema }),
  definePlugin({ ...hello, schema: hello.Schema, name: 'hello' }),
];

export interface Reply {
  readonly status: number;
  readonly body: string;
  header(name: string): string | undefined;
  /** What the echo upstream says it received. Throws when the answer is not its own. */
  upstream(): EchoedRequest;
}

export interface FunctionsGateway {
  readonly port: number;
  /** The gateway's error log, `[level] text` per line. */
  readonly log: string[];
  /** Waits for a line of it. */
  logged(line: RegExp): Promise<void>;
  send(request: RawRequest): Promise<Reply>;
}

/** Reads what came over the wire. */
export function replyOf({ statusLine, headers, body }: RawResponse): Reply {
  const header = (name: string) => headers.find(([key]) => key.toLowerCase() === name)?.[1];
  return {
    status: Number(statusLine.split(' ')[1]),
    body,
    header,
    upstream() {
      if (header('x-upstream') !== 'echo') throw new Error(`not from the upstream: ${statusLine}\n${body}`);
      return JSON.parse(body) as EchoedRequest;
    },
  };
}

/** Values of a header that the upstream received. */
export function received(request: EchoedRequest, name: string): string[] {
  return request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/**
 * Plugin server processes as kong.conf starts them, the functions apart from the others (here: `hello`), and local
 * gateways in front of an echo upstream.
 */
export class FunctionsRig {
  readonly #closers: (() => unknown)[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'kts-functions-'));
  #functions: CliProcess | undefined;
  #upstream: EchoUpstream | undefined;

  /** @param env for the server of the functions, beside this process's own */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    this.#closers.push(() => rmSync(this.#folder, { recursive: true, force: true }));
    const serve = (socket: string, plugins: readonly string[], more: NodeJS.ProcessEnv) => {
      const flags = plugins.flatMap((plugin) => ['--plugin', plugin]);
      const server = new CliProcess(['serve', ...flags, '--socket', join(this.#folder, socket)], {
        env: { ...process.env, ...more },
      });
      this.#closers.push(() => server.stop('SIGKILL'));
      return server;
    };
    const functions = serve('functions.sock', FUNCTION_PLUGINS, env);
    const others = serve('others.sock', ['hello'], {});
    this.#functions = functions;
    this.#upstream = await startEchoUpstream();
    this.#closers.push(() => this.#upstream?.close());
    await Promise.all([functions.said(/server started/), others.said(/server started/)]);
  }

  /** What the server of the functions has written. */
  get serverLog(): string {
    return `${this.#functions?.stdout}${this.#functions?.stderr}`;
  }

  /** A gateway for a config whose services are at 127.0.0.1:9000 or upstream:8080; the echo upstream takes that place. */
  async gateway(
    kongYml: string,
    file: string,
    protocol: 'protobuf' | 'msgpack' = 'protobuf',
  ): Promise<FunctionsGateway> {
    const text = kongYml.replaceAll(/127\.0\.0\.1:9000|upstream:8080/g, `127.0.0.1:${this.#upstream?.port}`);
    const { config, problems } = parseDeclarativeConfig(text, file, pluginCatalog(PLUGINS));
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    const lines: string[] = [];
    const log = (level: string, line: string) => lines.push(`[${level}] ${line}`);
    const callerAt = (socket: string) =>
      createPluginCaller(protocol, { socketPath: join(this.#folder, socket), log });
    const functions = callerAt('functions.sock');
    const others = callerAt('others.sock');
    const caller: PluginCaller = {
      handleEvent: (event) =>
        (FUNCTION_PLUGINS.includes(event.plugin.name) ? functions : others).handleEvent(event),
      close: () => {
        functions.close();
        others.close();
      },
    };
    const gateway = await createGateway({ config, plugins: PLUGINS, caller, log, port: 0 });
    this.#closers.push(
      () => caller.close(),
      () => gateway.close(),
    );
    const { port } = await gateway.listen();
    return {
      port,
      log: lines,
      logged: (line) =>
        until(() => lines.some((text) => line.test(text)), `a line ${line}`).catch((error: Error) => {
          throw new Error(`${error.message} in:\n${lines.join('\n')}`);
        }),
      send: async (request) => replyOf(await rawRequest(port, request)),
    };
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
