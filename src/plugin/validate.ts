import { placeOf } from '../own-code.js';
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

/** What {@link findConfigProblems} has to know of a plugin. */
export interface ValidatedPlugin {
  readonly validate?: ConfigValidator | undefined;
  readonly file?: string | undefined;
}

/**
 * Runs a plugin's `validate`, if it has one. Never throws: what is wrong with the function itself becomes a problem of the
 * configuration as a whole, which names the function's file.
 */
export function findConfigProblems(
  { validate, file }: ValidatedPlugin,
  config: PluginConfig,
  context: ValidationContext,
): readonly ConfigProblem[] {
  if (validate === undefined) return [];
  const faulty = (what: string) => [
    { path: [], message: `its validate${file === undefined ? '' : ` in ${file}`} ${what}` },
  ];
  try {
    const problems: unknown = validate(config, context);
    if (problems === undefined || problems === null) return [];
    const odd = Array.isArray(problems) ? problems.findIndex((problem) => !isProblem(problem)) : undefined;
    if (odd === -1) return problems as ConfigProblem[];
    const returned =
      odd === undefined
        ? shape(problems)
        : `a list with ${shape((problems as unknown[])[odd])} at index ${odd}`;
    // Nobody else waits for it, and a rejection that nobody hears of ends the process.
    if (problems instanceof Promise) problems.catch(() => undefined);
    return faulty(`must return a list of { path, message }, at once, and returned ${returned}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return faulty(`threw: ${reason}${placeOf(error)}`);
  }
}

/** Of what kind a value is, without what it holds: that may be a secret. */
function shape(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : `a ${typeof value}`;
  return Array.isArray(value) ? 'a list' : `an object with the keys [${Object.keys(value).join(', ')}]`;
}

/** `config.access[1]`, as messages name a place in a configuration. */
export function configPath(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${part}`),
    'config',
  );
}

function isProblem(value: unknown): value is ConfigProblem {
  const { path, message, position } = (value ?? {}) as Record<string, unknown>;
  const { line, column } = (position ?? { line: 1, column: 1 }) as Record<string, unknown>;
  return (
    typeof message === 'string' &&
    Array.isArray(path) &&
    path.every((part) => typeof part === 'string' || Number.isInteger(part)) &&
    Number.isInteger(line) &&
    Number.isInteger(column)
  );
}
