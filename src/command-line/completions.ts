import type { Command } from './command.js';
import { type Flag, flagsOf } from './flags.js';

/** A command with its name; of several, the first is also meant where none is named. */
export interface NamedCommand {
  readonly name: string;
  readonly summary: string;
  readonly command: Command;
}

/** What prints a script that completes a program's commands, their flags, and what these may be; by shell. */
export const COMPLETIONS = {
  bash,
  zsh: (program: string, commands: readonly NamedCommand[]) =>
    `autoload -U +X bashcompinit && bashcompinit\n${bash(program, commands)}`,
  fish,
};

/** Words that may stand for a value, and whether folders or files may. */
function candidates(value: string | undefined): { words: string[]; folders: boolean; files: boolean } {
  const words = value?.split('|').filter((word) => /^[a-z]/.test(word)) ?? [];
  return { words, folders: value === 'DIR', files: /^(FILE|PATH)/.test(value ?? '') };
}

/** Those after which a word of its own is the value. */
function withValues({ flags }: Command): Flag[] {
  return flagsOf(flags).filter(({ spelling, value }) => value !== undefined && !spelling.includes('[='));
}

function bash(program: string, commands: readonly NamedCommand[]): string {
  const names = commands.map(({ name }) => name);
  const words = (list: readonly string[]) => `words=$'${list.join('\\n')}'`;
  const value = (text: string | undefined) => {
    const may = candidates(text);
    return may.folders ? 'paths=-d' : may.files ? 'paths=-f' : words(may.words);
  };
  // What flags have in common with each other stands once.
  const valued = new Map<string, string[]>();
  for (const { name, command } of commands) {
    for (const { name: long, short, value: text } of withValues(command)) {
      const patterns = [...(short === undefined ? [] : [`-${short}`]), `--${long}`].map(
        (flag) => `'${name} ${flag} '*`,
      );
      valued.set(value(text), [...(valued.get(value(text)) ?? []), ...patterns]);
    }
  }
  const cases = [
    ...[...valued].map(([action, patterns]) => `${patterns.join('|')}) ${action}`),
    ...commands.flatMap(({ name, command }) => {
      const flags = words(flagsOf(command.flags).map((flag) => `--${flag.name}`));
      if (command.words === undefined) return [`'${name} '*) ${flags}`];
      return [`'${name} '*' -'*) ${flags}`, `'${name} '*) ${value(command.words)}`];
    }),
  ];
  const own = `_${program.replaceAll('-', '_')}`;
  return `${own}() {
  local command=${names[0]} words= paths= IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  if [[ $COMP_CWORD -gt 1 ]]; then
    case "\${COMP_WORDS[1]}" in ${names.join('|')}) command="\${COMP_WORDS[1]}" ;; esac
  elif [[ "$current" != -* ]]; then
    command=
  fi
  case "$command $before $current" in
    ${cases.join(' ;;\n    ')} ;;
    *) ${words(names)} ;;
  esac
  [[ -n "$paths" ]] && compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen $paths -W "$words" -- "$current"))
}
complete -F ${own} ${program}
`;
}

function fish(program: string, commands: readonly NamedCommand[]): string {
  const others = commands.slice(1).map(({ name }) => name);
  const value = (text: string | undefined) => {
    const { words, folders, files } = candidates(text);
    if (text === undefined || files) return text === undefined ? '' : ' -rF';
    return ` -x -a '${folders ? '(__fish_complete_directories)' : words.join(' ')}'`;
  };
  const quoted = (text: string) => `'${text.replace(/\s+/g, ' ').replace(/[\\']/g, '\\$&')}'`;
  const lines = commands.flatMap(({ name, summary, command }, index) => {
    const seen =
      index === 0
        ? `not __fish_seen_subcommand_from ${others.join(' ')}`
        : `__fish_seen_subcommand_from ${name}`;
    const valued = withValues(command);
    const flags = flagsOf(command.flags).map((flag) => {
      const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
      const takes = valued.some((one) => one.name === flag.name) ? value(flag.value) : '';
      return `-n '${seen}' -l ${flag.name}${short}${takes} -d ${quoted(flag.help)}`;
    });
    const { words, files } = candidates(command.words);
    return [
      `-n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(words.length > 0 || files ? [`-n '${seen}' ${files ? '-F' : `-a '${words.join(' ')}'`}`] : []),
      ...flags,
    ];
  });
  return ['-f', ...lines].map((line) => `complete -c ${program} ${line}\n`).join('');
}
