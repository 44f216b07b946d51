import { defineCommand } from '../command-line/command.js';
import { COMPLETIONS } from '../command-line/completions.js';
import { oneOf, UsageError } from '../command-line/values.js';
import { COMMANDS } from './commands.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const command = defineCommand({
  program: 'kong-ts-pluginserver completion',
  usage: 'kong-ts-pluginserver completion bash|zsh|fish',
  about: `
Prints a script that completes commands and flags. In ~/.bashrc, or in ~/.zshrc behind compinit, with zsh for bash:

  source <(kong-ts-pluginserver completion bash)

and for fish: kong-ts-pluginserver completion fish > ~/.config/fish/completions/kong-ts-pluginserver.fish`,
  words: SHELLS.join('|'),
  flags: {},
  async run(_values, [shell]) {
    if (shell === undefined) throw new UsageError('the name of the shell is missing');
    const print = COMPLETIONS[oneOf('the shell', shell, SHELLS)];
    const commands = COMMANDS.map(async ({ load, ...known }) => ({ ...known, ...(await load()) }));
    process.stdout.write(print('kong-ts-pluginserver', await Promise.all(commands)));
    return 0;
  },
});
