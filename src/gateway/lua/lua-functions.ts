import { readFileSync } from 'node:fs';
import type { LuaEngine } from 'wasmoon';
import { PluginServerError } from '../../errors.js';
import type { GatewayConfig, PluginEntity } from '../config/entities.js';
import { FUNCTION_PHASES, FUNCTION_PLUGINS } from '../config/function-plugins.js';
import { HOST_FUNCTIONS } from '../host/pdk-host.js';
import {
  type ConfiguredPlugin,
  type EventOutcome,
  LuaError,
  type LuaTable,
  type LuaValue,
  type PdkHost,
  type PluginCaller,
  type PluginEvent,
  PluginEventError,
  ResponseExit,
} from '../plugin-port.js';
import { LUA_HELPERS, PUBLIC_CONFIGURATION } from './helpers.js';
import { NGINX_CONSTANTS } from './names.js';

/** The package that brings the Lua VM is not installed. */
export class LuaVmMissingError extends PluginServerError {
  constructor(cause: unknown) {
    super(
      'LUA_VM_MISSING',
      'pre-function and post-function need the package "wasmoon" in the local gateway: npm install --save-dev wasmoon',
      { cause },
    );
  }
}

/** Runs in the VM before any function. */
const PRELUDE = new URL('./prelude.lua', import.meta.url);

const NUL = /\u0100/g;
const toLua = (text: string) => text.replaceAll('\0', '\u0100');

/**
 * Kong's `pre-function` and `post-function`: Lua from the configuration, in a VM of the gateway's own (Lua 5.4,
 * where Kong has LuaJIT), through the same PDK host as every plugin.
 *
 * What is not there is noted when the config is read, and fails with an error that names it. Tables read from
 * `kong.ctx` are copies.
 */
export class LuaFunctions implements PluginCaller {
  /** By plugin id and phase, in order. */
  readonly #chunks = new Map<string, number[]>();
  #host: PdkHost | undefined;
  /** Some function asks for the request's body. */
  #readsBody = false;
  #exited = false;

  private constructor(private readonly engine: LuaEngine | undefined) {}

  /**
   * Compiles the functions of a config; without any, no VM is made.
   *
   * @throws {LuaVmMissingError}
   */
  static async load(config: GatewayConfig): Promise<LuaFunctions> {
    const entities = config.plugins.filter(({ name, enabled }) => enabled && FUNCTION_PLUGINS.has(name));
    if (entities.length === 0) {
      return new LuaFunctions(undefined);
    }
    const functions = new LuaFunctions(await createEngine());
    functions.#prepare();
    for (const entity of entities) {
      functions.#compile(entity);
    }
    return functions;
  }

  #prepare(): void {
    const global = this.#engine().global;
    global.set('host_call', (method: string, ...args: unknown[]) => this.#call(method, args));
    global.set('host_methods', [...HOST_FUNCTIONS.keys()]);
    global.set('nginx_constants', NGINX_CONSTANTS);
    global.set('kong_configuration', PUBLIC_CONFIGURATION);
    this.#engine().doStringSync(readFileSync(PRELUDE, 'utf8'));
  }

  #engine(): LuaEngine {
    if (this.engine === undefined) {
      throw new LuaError('no Lua function is configured');
    }
    return this.engine;
  }

  #compile(entity: PluginEntity): void {
    const register = this.#engine().global.get('register_chunk') as (source: string, name: string) => number;
    for (const phase of FUNCTION_PHASES) {
      const sources = (entity.config[phase] ?? []) as string[];
      const numbers = sources.map((source, index) => {
        const name = `${entity.name}.${phase}[${index}]`;
        this.#readsBody ||= /body|post_args/.test(source);
        try {
          return register(toLua(Buffer.from(source, 'utf8').toString('latin1')), `=${name}`);
        } catch (error) {
          // Noted when the config was read: LuaJIT takes it, and Lua 5.4 does not.
          const reason = JSON.stringify((error as Error).message).replaceAll('\\u', '\\\\u');
          return register(`error(${reason}, 0)`, `=${name}`);
        }
      });
      this.#chunks.set(`${entity.id}/${phase}`, numbers);
    }
  }

  /** Whether a plugin has functions for a phase. */
  has(plugin: ConfiguredPlugin, phase: string): boolean {
    return (this.#chunks.get(`${String(plugin.config.__plugin_id)}/${phase}`)?.length ?? 0) > 0;
  }

  /** Runs the functions of one plugin for one phase; a body that they may ask for has been read before. */
  async handleEvent({ plugin, phase, host }: PluginEvent): Promise<EventOutcome> {
    if (!this.has(plugin, phase)) return 'done';
    if (this.#readsBody && (phase === 'access' || phase === 'rewrite')) {
      await host.call('kong.request.get_raw_body', []);
    }
    return this.runNow(plugin, phase, host);
  }

  /**
   * Runs them at once: `header_filter` and `body_filter` cannot wait. They are synchronous, so events never overlap.
   *
   * @throws {PluginEventError}
   */
  runNow(plugin: ConfiguredPlugin, phase: string, host: PdkHost): EventOutcome {
    const id = String(plugin.config.__plugin_id);
    const run = this.#engine().global.get('run_chunk') as (
      number: number,
      plugin: string,
      phase: string,
    ) => void;
    this.#host = host;
    this.#exited = false;
    try {
      for (const number of this.#chunks.get(`${id}/${phase}`) ?? []) {
        run(number, id, phase);
        if (this.#exited) return 'exit';
      }
      return 'done';
    } catch (error) {
      // The exit unwinds Lua as an error; a function that caught it has ended all the same.
      if (this.#exited) return 'exit';
      throw new PluginEventError(`[${plugin.name}] ${(error as Error).message}`, { cause: error });
    } finally {
      this.#host = undefined;
    }
  }

  close(): void {
    this.engine?.global.close();
  }

  #call(method: string, args: readonly unknown[]): unknown {
    const helper = LUA_HELPERS[method];
    if (helper !== undefined) return intoLua(helper(args.map(fromLua), args));
    if (this.#host === undefined) {
      throw new LuaError(`${method} called outside of a request`);
    }
    try {
      const host = this.#host;
      const result =
        method === 'gateway.exit'
          ? host.call('kong.response.exit', [fromLua(args[0])])
          : method === 'gateway.status'
            ? host.call('kong.response.get_status', [])
            : method === 'gateway.response_header'
              ? host.call('kong.response.get_header', [fromLua(args[0])])
              : host.call(method, args.map(fromLua));
      if (result instanceof Promise) {
        result.catch(() => undefined);
        throw new LuaError(`${method} is not emulated for Lua functions by the local gateway`);
      }
      return intoLua(result);
    } catch (error) {
      this.#exited ||= error instanceof ResponseExit;
      throw error;
    }
  }
}

async function createEngine(): Promise<LuaEngine> {
  try {
    const { LuaFactory } = await import('wasmoon');
    return await new LuaFactory().createEngine({ enableProxy: false });
  } catch (error) {
    throw new LuaVmMissingError(error);
  }
}

function fromLua(value: unknown): LuaValue {
  if (value === null || value === undefined) {
    return undefined;
  }
  if (typeof value === 'string') {
    return value.replace(NUL, '\0');
  }
  if (Array.isArray(value)) {
    return value.map(fromLua);
  }
  if (typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key.replace(NUL, '\0'), fromLua(item)]),
    );
  }
  return value as LuaValue;
}

/** Tables without absent entries: wasmoon has no nil inside a table. */
function intoLua(value: LuaValue): LuaValue {
  if (typeof value === 'string') {
    return toLua(value);
  }
  if (Array.isArray(value)) {
    return value.map(intoLua);
  }
  if (typeof value === 'object') {
    const table: LuaTable = {};
    for (const [key, item] of Object.entries(value)) {
      if (item !== undefined) {
        table[toLua(key)] = intoLua(item);
      }
    }
    return table;
  }
  return value;
}
