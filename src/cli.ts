#!/usr/bin/env -S node --
import { didYouMean } from './command-line.js';
import { COMMANDS } from './commands/commands.js';
import { nearestName } from './nearest-name.js';

const USAGE = `Usage: kong-ts-pluginserver [COMMAND] [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}\n`).join('')}
Each command explains itself with --help.
`;

async function main(argv: string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === 'help' || (first === '--help' && rest.length === 0)) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (first === undefined || first.startsWith('-')) return (await import('./commands/serve.js')).run(argv);
  const command = COMMANDS.find(({ name }) => name === first);
  if (command === undefined) {
    const names = COMMANDS.map(({ name }) => name);
    const near = didYouMean(nearestName(first, names));
    process.stderr.write(`kong-ts-pluginserver: unknown command "${first}"${near}\n\n${USAGE}`);
    return 2;
  }
  return (await command.load()).run(rest);
}

process.exitCode = await main(process.argv.slice(2));
