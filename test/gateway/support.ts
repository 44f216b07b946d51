import assert from 'node:assert/strict';
import { type CatalogedPlugin, pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { createGateway, type Gateway } from '../../src/gateway/gateway.js';
import {
  type EventOutcome,
  type PdkHost,
  type PluginCaller,
  type PluginEvent,
  PluginEventError,
  ResponseExit,
} from '../../src/gateway/plugin-port.js';
import type { Phase } from '../../src/plugin/definition.js';

/** What a plugin of a test does in a phase. */
export type Handler = (host: PdkHost, event: PluginEvent) => unknown;

/** A plugin whose handlers run in the test's own process, as a peer on the gateway's plugin port. */
export interface LocalPlugin {
  readonly name: string;
  readonly priority?: number;
  readonly handlers: { readonly [phase in Phase]?: Handler };
}

export class LocalCaller implements PluginCaller {
  /** `name:phase`, in the order in which events came. */
  readonly events: string[] = [];

  constructor(private readonly plugins: readonly LocalPlugin[]) {}

  async handleEvent(event: PluginEvent): Promise<EventOutcome> {
    const { plugin, phase, host } = event;
    this.events.push(`${plugin.name}:${phase}`);
    try {
      await this.plugins.find(({ name }) => name === plugin.name)?.handlers[phase]?.(host, event);
      return 'done';
    } catch (error) {
      if (error instanceof ResponseExit) {
        return 'exit';
      }
      throw new PluginEventError((error as Error).message, { cause: error });
    }
  }

  close(): void {}
}

export interface RunningGateway {
  readonly gateway: Gateway;
  readonly port: number;
  readonly caller: LocalCaller;
  /** `level text` per line. */
  readonly log: string[];
}

/** Starts a gateway on a config that must be free of problems. */
export async function startGateway(
  yaml: string,
  plugins: readonly LocalPlugin[] = [],
): Promise<RunningGateway> {
  const definitions: CatalogedPlugin[] = plugins.map(({ name, priority = 0, handlers }) => ({
    name,
    priority,
    phases: Object.keys(handlers) as Phase[],
    schema: [{ message: { type: 'string', default: 'hi' } }],
  }));
  const { config, problems } = parseDeclarativeConfig(yaml, 'kong.yml', pluginCatalog(definitions));
  assert.deepEqual(problems, []);
  const caller = new LocalCaller(plugins);
  const log: string[] = [];
  const gateway = await createGateway({
    config,
    plugins: definitions,
    caller,
    log: (level, text) => log.push(`${level} ${text}`),
    port: 0,
  });
  const { port } = await gateway.listen();
  return { gateway, port, caller, log };
}

/** Waits until a condition holds; fails after 10 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `timed out waiting for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
