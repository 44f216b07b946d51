import type { PluginConfig } from './plugin-config.js';

/** One thing that is wrong with a configuration, as a plugin's `validate` reports it. */
export interface ConfigProblem {
  /** Where inside `config`, outermost key first; list indexes count from 0. Empty: the configuration as a whole. */
  readonly path: readonly (string | number)[];
  /** What is wrong, without the path. It is shown to operators, so it must not quote a secret. */
  readonly message: string;
  /** Where inside the text at `path`, both counting from 1: for code and other text with lines. */
  readonly position?: { readonly line: number; readonly column: number };
}

/** What a plugin may have to know of the server that is to run it. */
export interface ValidationContext {
  /** How many processes share the work: the server's `--workers`. Undefined where it is not known. */
  readonly workers?: number;
}

/**
 * The optional `validate` export of a plugin module: says, before deployment, what a `Schema` cannot. It runs in
 * `check`, in the local gateway and before the constructor of each instance, on configurations that the schema accepts
 * and with its defaults in them. It must not connect anywhere, and what it throws counts as one problem.
 *
 * ```ts
 * export function validate(config: PluginConfig): ConfigProblem[] {
 *   return Number(config.min) > Number(config.max) ? [{ path: ['min'], message: 'must not be above max' }] : [];
 * }
 * ```
 */
export type ConfigValidator = (config: PluginConfig, context: ValidationContext) => readonly ConfigProblem[];

/** Runs a plugin's `validate`, if it has one. Never throws: what the plugin's function throws becomes a problem. */
export function findConfigProblems(
  validate: ConfigValidator | undefined,
  config: PluginConfig,
  context: ValidationContext,
): readonly ConfigProblem[] {
  if (validate === undefined) return [];
  try {
    const problems: unknown = validate(config, context);
    if (problems === undefined || problems === null) return [];
    if (Array.isArray(problems) && problems.every(isProblem)) return problems;
    return [{ path: [], message: "the plugin's validate must return a list of { path, message }" }];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ path: [], message: `the plugin's validate threw: ${reason}` }];
  }
}

/** `config.access[1]`, as messages name a place in a configuration. */
export function configPath(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${part}`),
    'config',
  );
}

function isProblem(value: unknown): value is ConfigProblem {
  const { path, message } = (value ?? {}) as { path?: unknown; message?: unknown };
  return Array.isArray(path) && typeof message === 'string';
}
