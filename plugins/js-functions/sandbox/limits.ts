import { PluginServerError } from 'kong-ts-pluginserver';

/** What a run of a function may use. */
export interface Limits {
  /** Processor time of one run, milliseconds, summed over all its turns. */
  readonly cpuMs: number;
  /** Memory of the whole isolate, bytes. */
  readonly memoryBytes: number;
  /** Stack of the isolate, bytes. */
  readonly stackBytes: number;
  /** Time from the start of a run to its end, milliseconds, waiting included. */
  readonly wallMs: number;
  /** PDK calls of one run, log lines included. */
  readonly pdkCalls: number;
  /** Bytes that one run hands to the PDK. */
  readonly outputBytes: number;
}

/**
 * Which limit a run went over. `engine` is a fault of the engine itself, or the end of a thread that was another
 * instance's doing; `suspended`: it was not run, since its threads had to be ended too often.
 */
export type LimitKind = 'cpu' | 'memory' | 'stack' | 'wall' | 'pdk_calls' | 'output' | 'engine' | 'suspended';

/** One limit as configuration names it: in `config`, and as the operator's bound in the environment. */
interface LimitSetting {
  readonly field: string;
  readonly variable: string;
  readonly unit: number;
  /** In the units of the setting. */
  readonly default: number;
  readonly least: number;
  /** The bound where the operator sets none, and the most that the operator may set. */
  readonly bound: number;
  readonly most: number;
  readonly description: string;
}

const KILO = 1024;
const MEGA = 1024 * 1024;

/**
 * Every limit, in the order of {@link Limits}.
 *
 * The stack cannot be more: what the engine uses of it, it uses several times over of the host's, whose end it does
 * not see coming.
 */
export const LIMIT_SETTINGS: { readonly [K in keyof Limits]: LimitSetting } = {
  cpuMs: setting('max_cpu_ms', 1, 20, 1, 100, 10_000, 'Processor time of one run in milliseconds'),
  memoryBytes: setting('max_memory_mb', MEGA, 16, 2, 64, 512, 'Memory of the instance in megabytes'),
  stackBytes: setting('max_stack_kb', KILO, 128, 32, 128, 128, 'Stack of the instance in kilobytes'),
  wallMs: setting(
    'max_wall_ms',
    1,
    1000,
    1,
    10_000,
    60_000,
    'Time of one run in milliseconds, waiting included',
  ),
  pdkCalls: setting('max_pdk_calls', 1, 100, 1, 1000, 100_000, 'PDK calls of one run'),
  outputBytes: setting(
    'max_output_kb',
    KILO,
    1024,
    1,
    16_384,
    262_144,
    'Kilobytes that one run may hand to the PDK',
  ),
};

/** A limit in the configuration or the environment that cannot be used. */
export class LimitSettingError extends PluginServerError {
  constructor(message: string) {
    super('JS_LIMIT_SETTING', message);
  }
}

/**
 * The limits of an instance: its configuration's where it sets one, else the default, never above the operator's bound.
 *
 * @param config the plugin's configuration, with fields such as `max_cpu_ms`
 * @param env the operator's bounds, `KONG_TS_JS_MAX_CPU_MS` and so on
 * @throws LimitSettingError for a value that is no integer in range, or above the bound
 */
export function resolveLimits(config: Record<string, unknown>, env: NodeJS.ProcessEnv): Limits {
  const limit = (key: keyof Limits): number => {
    const s = LIMIT_SETTINGS[key];
    const bound = operatorBound(s, env);
    const given = config[s.field];
    if (given === undefined || given === null) return Math.min(s.default, bound) * s.unit;
    if (typeof given !== 'number' || !Number.isInteger(given) || given < s.least) {
      throw new LimitSettingError(
        `config.${s.field} must be an integer of at least ${s.least}, not ${String(given)}`,
      );
    }
    if (given > bound) {
      throw new LimitSettingError(
        `config.${s.field} is ${given}, above the operator's bound of ${bound} (${s.variable})`,
      );
    }
    return given * s.unit;
  };
  return {
    cpuMs: limit('cpuMs'),
    memoryBytes: limit('memoryBytes'),
    stackBytes: limit('stackBytes'),
    wallMs: limit('wallMs'),
    pdkCalls: limit('pdkCalls'),
    outputBytes: limit('outputBytes'),
  };
}

/** How many threads instances share: `KONG_TS_JS_THREADS`. */
const THREADS = { variable: 'KONG_TS_JS_THREADS', default: 2, most: 64 } as const;

/**
 * How many worker threads the instances of this process share.
 *
 * @throws LimitSettingError for a value that is no integer in range
 */
export function resolveThreads(env: NodeJS.ProcessEnv): number {
  return bound(env, THREADS.variable, THREADS.default, 1, THREADS.most);
}

function operatorBound(s: LimitSetting, env: NodeJS.ProcessEnv): number {
  return bound(env, s.variable, s.bound, s.least, s.most);
}

function bound(env: NodeJS.ProcessEnv, name: string, standard: number, least: number, most: number): number {
  const text = env[name];
  if (text === undefined || text === '') return standard;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new LimitSettingError(
      `${name} must be an integer from ${least} to ${most}, not ${JSON.stringify(text)}`,
    );
  }
  return value;
}

function setting(
  field: string,
  unit: number,
  standard: number,
  least: number,
  bound: number,
  most: number,
  description: string,
): LimitSetting {
  const variable = `KONG_TS_JS_${field.toUpperCase()}`;
  return {
    field,
    variable,
    unit,
    default: standard,
    least,
    bound,
    most,
    description: `${description}; default ${standard}, at most what the operator allows.`,
  };
}
