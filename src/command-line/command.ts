import { PluginServerError } from '../errors.js';
import { type Flags, flagsOf, parseFlags, type Values } from './flags.js';
import { UsageError } from './values.js';

/** One command, described once: its parsing, `--help`, errors and completions come of this. */
export interface CommandDescription<F extends Flags> {
  /** What is typed before the flags; errors begin with it. */
  readonly program: string;
  /** What is typed in its place and behind it, a line for each form; default: the program and `[options]`. */
  readonly usage?: string;
  readonly about?: string;
  /** The arguments that are no flags, spelt as the values of flags are; undefined: there are none. */
  readonly words?: string;
  readonly flags: F;
  /** Gives the exit code; undefined while the process is to stay. What it throws is told in a line. */
  run(values: Values<F>, words: readonly string[]): Promise<number | undefined>;
}

/** What the command line and the completions know of a command. */
export interface Command {
  readonly flags: Flags;
  readonly words: string | undefined;
  /** Gives the exit code: 2 for a wrong command line, 1 for what cannot be done; undefined while it serves. */
  readonly run: (argv: readonly string[]) => Promise<number | undefined>;
}

const WIDTH = 120;

export function defineCommand<F extends Flags>(description: CommandDescription<F>): Command {
  const { program, words } = description;
  const flags: Flags = { ...description.flags, '-h, --help': 'this text' };
  const say = (message: string) => void process.stderr.write(`${program}: ${message}\n`);
  const run = async (argv: readonly string[]) => {
    try {
      const given = parseFlags(flags, argv, words !== undefined);
      const values = given.values as Values<F> & { help: boolean };
      if (!values.help) return await description.run(values, given.words);
      process.stdout.write(helpOf(description, flags));
      return 0;
    } catch (error) {
      if (!(error instanceof PluginServerError)) throw error;
      say(error.message);
      if (!(error instanceof UsageError)) return 1;
      process.stderr.write(`\n${helpOf(description, flags)}`);
      return 2;
    }
  };
  return { flags, words, run };
}

function helpOf(description: CommandDescription<Flags>, flags: Flags): string {
  const { program, usage = `${program} [options]`, about } = description;
  const forms = usage.split('\n').join('\n       ');
  const lines = flagsOf(flags).map(({ spelling, help }) => ({
    label: spelling.startsWith('--') ? `    ${spelling}` : spelling,
    help,
  }));
  const width = Math.max(...lines.map(({ label }) => label.length)) + 2;
  const table = lines.map(({ label, help }) => `  ${label.padEnd(width)}${wrapped(help, width + 2)}\n`);
  return `Usage: ${forms}\n\n${about === undefined ? '' : `${about.replace(/^\n/, '')}\n\n`}${table.join('')}`;
}

/** A text in lines that begin at a column. */
function wrapped(text: string, column: number): string {
  const lines =
    text.replace(/\s+/g, ' ').match(new RegExp(`\\S.{0,${WIDTH - column - 1}}(?= |$)`, 'g')) ?? [];
  return lines.join(`\n${' '.repeat(column)}`);
}
