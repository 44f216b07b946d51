import { Plugin as PreFunction } from '../../../../plugins/js-pre-function.js';
import { HANDLER_EXIT } from '../../../../src/pdk/errors.js';
import { PDK_METHODS } from '../../../../src/pdk/methods.js';
import type { Kong } from '../../../../src/pdk/types.js';

// Tests that are not about a limit must not meet it on a busy machine.
process.env['KONG_TS_JS_MAX_CPU_MS'] = '10000';
process.env['KONG_TS_JS_MAX_WALL_MS'] = '60000';

const GENEROUS = { max_cpu_ms: 5000, max_wall_ms: 20_000 };

/** A PDK call as the recording `kong` saw it: the path under kong and the arguments. */
export type RecordedCall = [method: string, ...args: unknown[]];

/** What the recording `kong` answers: by path, a value or a function of the arguments. */
export type Answers = Record<string, unknown>;

/** A `kong` object with every method of the PDK: records the calls, answers from a table, exits as the server's does. */
export function recordingKong(answers: Answers = {}): { kong: Kong; calls: RecordedCall[] } {
  const calls: RecordedCall[] = [];
  const root: Record<string, unknown> = {};
  for (const { path, kind } of PDK_METHODS) {
    let owner = root;
    for (const name of path.slice(0, -1)) {
      owner[name] ??= {};
      owner = owner[name] as Record<string, unknown>;
    }
    const key = path.join('.');
    owner[path.at(-1) as string] = (...args: unknown[]) => {
      calls.push([key, ...args]);
      if (kind === 'exit') throw HANDLER_EXIT;
      const answer = answers[key];
      return Promise.resolve(typeof answer === 'function' ? answer(...args) : (answer ?? null));
    };
  }
  return { kong: root as unknown as Kong, calls };
}

export interface Outcome {
  readonly calls: RecordedCall[];
  /** What the handler threw, but for the exit. */
  readonly error: Error | undefined;
  readonly exited: boolean;
}

/** One handler call, with a `kong` of its own. */
export async function request(
  plugin: InstanceType<typeof PreFunction>,
  answers: Answers = {},
  phase: 'certificate' | 'rewrite' | 'access' | 'log' = 'access',
): Promise<Outcome> {
  const { kong, calls } = recordingKong(answers);
  try {
    await plugin[phase](kong);
    return { calls, error: undefined, exited: false };
  } catch (error) {
    if (error === HANDLER_EXIT) return { calls, error: undefined, exited: true };
    return { calls, error: error as Error, exited: false };
  }
}

/** An instance with these access functions, or with this configuration, and generous limits. */
export function instance(
  config: string | string[] | Record<string, unknown>,
): InstanceType<typeof PreFunction> {
  const given = typeof config === 'string' || Array.isArray(config) ? { access: [config].flat() } : config;
  return new PreFunction({ ...GENEROUS, ...given });
}

/** Runs one function once in an instance of its own. */
export async function once(source: string, config: Record<string, unknown> = {}): Promise<Outcome> {
  const plugin = instance({ ...config, access: [source] });
  try {
    return await request(plugin);
  } finally {
    plugin.close();
  }
}

/** The value of an expression inside, as JSON carries it out. */
export async function evaluate(expression: string, config: Record<string, unknown> = {}): Promise<unknown> {
  const { calls, error } = await once(`await kong.nginx.setCtx('value', ${expression})`, config);
  if (error !== undefined) throw error;
  return calls.find(([method, key]) => method === 'nginx.setCtx' && key === 'value')?.[2];
}
