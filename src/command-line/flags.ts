import { type ParseArgsConfig, parseArgs } from 'node:util';
import { didYouMean } from '../nearest-name.js';
import { UsageError } from './values.js';

/**
 * The flags of a command: each as `--help` spells it, with what it is for. `-d, --plugins-directory DIR` takes a value,
 * `--protocol protobuf|msgpack` one of these, `--inspect[=HOST:PORT]` may be without; `…` at the end: may be repeated.
 */
export type Flags = Readonly<Record<string, string>>;

type Long<Spelling> = Spelling extends `${string}--${infer Rest}` ? Rest : never;
type Until<Text, End extends string> = Text extends `${infer Start}${End}${string}` ? Start : Text;
type Name<Spelling> = Until<Until<Until<Long<Spelling>, ' '>, '['>, '…'>;
type Value<Spelling> = Spelling extends `${string}--${string} ${string}…`
  ? readonly string[]
  : Spelling extends `${string}…`
    ? number
    : Spelling extends `${string}--${string} ${string}` | `${string}[=${string}`
      ? string | undefined
      : boolean;

/** What was given, by the flags' names: text, lists of texts, whether a flag is there, or how often. */
export type Values<F> = { readonly [Spelling in keyof F as Name<Spelling>]: Value<Spelling> };

/** One flag, its spelling taken apart. */
export interface Flag {
  readonly spelling: string;
  readonly name: string;
  readonly short: string | undefined;
  /** What stands for its value; undefined when it takes none. */
  readonly value: string | undefined;
  readonly help: string;
}

const SPELLING = /^(?:-(\w), )?--([\w-]+)(?:(?: |\[=)([^\]…]+)\]?)?…?$/;

/** @throws Error when one is not spelt as {@link Flags} says */
export function flagsOf(flags: Flags): Flag[] {
  return Object.entries(flags).map(([spelling, help]) => {
    const [, short, name, value] = SPELLING.exec(spelling) ?? [];
    if (name === undefined) throw new Error(`no flag: ${spelling}`);
    return { spelling, name, short, value, help };
  });
}

/**
 * Parses a command line. One dash will do for a long name, as with the stock server; of a flag that is given twice the
 * last one counts.
 *
 * @param withWords whether there may be arguments that are no flags
 * @throws UsageError naming the flag, and which one a misspelt one is near to
 */
export function parseFlags<F extends Flags>(
  flags: F,
  argv: readonly string[],
  withWords = false,
): { values: Values<F>; words: string[] } {
  const known = flagsOf(flags);
  const options: ParseArgsConfig['options'] = {};
  for (const { name, short, value } of known) {
    const type = value === undefined ? 'boolean' : 'string';
    options[name] = { type, multiple: true, ...(short !== undefined && { short }) };
  }
  const args = argv.map((arg) => {
    const flag = known.find(({ name }) => arg === `-${name}` || arg === `--${name}`);
    if (flag === undefined) return arg;
    return flag.spelling.includes('[=') ? `--${flag.name}=` : `--${flag.name}`;
  });
  try {
    const parsed = parseArgs({ args, options, allowPositionals: withWords });
    const given = parsed.values as Record<string, (string | boolean)[] | undefined>;
    const values = known.map(({ name, spelling, value }) => {
      const all = given[name] ?? [];
      const one = value === undefined ? all.length > 0 : all.at(-1);
      const several = value === undefined ? all.length : all;
      return [name, spelling.endsWith('…') ? several : one];
    });
    return { values: Object.fromEntries(values) as Values<F>, words: parsed.positionals };
  } catch (error) {
    const { message } = error as Error;
    const misspelt = /^Unknown option '--([^']+)'/.exec(message)?.[1];
    // Node goes on about positional arguments, which the commands explain better.
    if (misspelt === undefined) throw new UsageError(message);
    const near = didYouMean(misspelt, Object.keys(options), '--');
    throw new UsageError(`unknown flag --${misspelt}${near}`);
  }
}
