import { createRequire } from 'node:module';

/** What a regular expression of a route found. */
export interface RegexMatch {
  readonly text: string;
  /** By number, the whole match first; a group that took no part is empty. */
  readonly captures: readonly string[];
  readonly named: Readonly<Record<string, string>>;
}

/** Groups without a name, skipping escapes and classes. */
const UNNAMED_GROUP = /\\.|\[\^?\]?(?:\\.|\[:[^\]]*:\]|[^\]\\])*\]|\((?!\?)/gs;

/** What PCRE refuses and Rust takes: Kong tries a path's expression with PCRE as well. */
const NOT_PCRE: readonly (readonly [RegExp, string])[] = [
  [/\\[uUN]/, 'PCRE does not support \\u, \\U and \\N'],
  [/\\[<>]/, 'unrecognized character follows \\'],
  [
    /\{(\d{6,}|6[6-9]\d{3}|[7-9]\d{4})|\{\d*,(\d{6,}|6[6-9]\d{3}|[7-9]\d{4})\}/,
    'number too big in {} quantifier',
  ],
  [
    /\[:(?!\^?(al(num|pha)|ascii|blank|cntrl|x?digit|graph|lower|p(rint|unct)|space|upper|word):\])\w*:\]/,
    'unknown POSIX class name',
  ],
  [/\[[^\]]*[^\]\-[\\!-,]--/, 'range out of order in character class'],
  [/\(\?[a-zA-Z]*[uR]/, 'unrecognized character after (?'],
  [/(^|[^\\])([*?+]|\{\d+(,\d*)?\})(\*|\{\d)/, 'quantifier does not follow a repeatable item'],
];

type Engine = typeof import('rregex');
let engine: Engine | undefined;

/** Loaded with the first expression: it takes a while, and most configurations have none. */
function load(): Engine {
  engine ??= createRequire(import.meta.url)('rregex') as Engine;
  return engine;
}

/** The last line of the engine's message, which says what is wrong. */
function reason(error: unknown): string {
  const text =
    error instanceof Error ? error.message : String((error as { message?: unknown }).message ?? error);
  return (
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^error: /, '') ?? text
  );
}

/** Why Kong would refuse the expression of a header's value; undefined when it would not. */
export function headerRegexFault(source: string): string | undefined {
  try {
    new (load().RRegex)(source).free();
    return undefined;
  } catch (error) {
    return `invalid regex: '${source}' (${reason(error)})`;
  }
}

/** Why Kong would refuse the expression of a path; undefined when it would not. */
export function regexFault(source: string): string | undefined {
  const known = NOT_PCRE.find(([pattern]) => pattern.test(source));
  if (known !== undefined) return `invalid regex: '${source}' (${known[1]})`;
  return headerRegexFault(`^${source}`)?.replace(`'^`, `'`);
}

/**
 * A regular expression of Kong's router: Rust's, over text, anchored only by what it says itself.
 *
 * Paths are bytes, one char each; what is no UTF-8 never matches.
 */
export class RouteRegex {
  readonly #regex: InstanceType<Engine['RRegex']>;
  readonly #names: readonly string[];

  /** @throws when Rust's regex does not compile it; see {@link regexFault} */
  constructor(readonly source: string) {
    const { RRegex } = load();
    // The engine leaves out groups that took no part, so that numbers would shift: names do not.
    let count = 0;
    const numbered = source.replace(UNNAMED_GROUP, (found) =>
      found === '(' ? `(?P<kts${++count}_>` : found,
    );
    this.#regex = new RRegex(numbered);
    this.#names = this.#regex.captureNames().map((name) => name ?? '');
  }

  /** The first match in a byte string. */
  exec(bytes: string): RegexMatch | undefined {
    const text = utf8(bytes);
    const found = text === undefined ? undefined : this.#regex.captures(text);
    if (found === undefined || found === null) return undefined;
    const whole = toBytes(found.get[0]?.value ?? '');
    const groupNamed = (name: string) => toBytes(found.name[name]?.value ?? '');
    const own = this.#names.filter((name) => name !== '' && !/^kts\d+_$/.test(name));
    return {
      text: whole,
      captures: this.#names.map((name, index) => (index === 0 ? whole : groupNamed(name))),
      named: Object.fromEntries(own.map((name) => [name, groupNamed(name)])),
    };
  }

  /** Whether it is found anywhere in a byte string. */
  test(bytes: string): boolean {
    const text = utf8(bytes);
    return text !== undefined && this.#regex.isMatch(text);
  }
}

const toBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a byte string; undefined when it is no UTF-8. */
export function utf8(bytes: string): string | undefined {
  try {
    return decoder.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}
