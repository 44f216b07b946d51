#!/usr/bin/env -S node --
import { COMMANDS } from './commands/commands.js';
import { didYouMean } from './nearest-name.js';

const USAGE = `Usage: kong-ts-pluginserver [COMMAND] [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}\n`).join('')}
Each command explains itself with --help.
`;

async function main(argv: string[]): Promise<number | undefined> {
  const [first = '-', ...rest] = argv;
  if (first === 'help' || (first === '--help' && rest.length === 0)) {
    process.stdout.write(USAGE);
    return 0;
  }
  const isFlag = first.startsWith('-');
  const known = COMMANDS.find(({ name }) => name === (isFlag ? 'serve' : first));
  if (known !== undefined) return (await known.load()).command.run(isFlag ? argv : rest);
  const near = didYouMean(
    first,
    COMMANDS.map(({ name }) => name),
  );
  process.stderr.write(`kong-ts-pluginserver: unknown command "${first}"${near}\n\n${USAGE}`);
  return 2;
}

const code = await main(process.argv.slice(2));
// A plugin may have left timers or connections behind, and Kong waits for the end of this process.
if (code !== undefined) process.exit(code);
