import type { Command } from '../command-line/command.js';

/** A command, before its module is loaded. */
export interface KnownCommand {
  readonly name: string;
  /** What it is for, in the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command. A new one is a module in this folder and a line here. */
export const COMMANDS: readonly KnownCommand[] = [
  {
    name: 'serve',
    summary: "the plugin server (also without a command); --dump and the like for Kong's query_cmd",
    load: () => import('./serve.js'),
  },
  {
    name: 'dev',
    summary: 'the plugin server with a local gateway, PostgreSQL and an echo upstream, for development',
    load: () => import('./dev.js'),
  },
  {
    name: 'new',
    summary: 'writes a plugin with its test, or a whole project',
    load: () => import('./new.js'),
  },
  {
    name: 'check',
    summary: 'validates a declarative configuration and compiles the functions in it',
    load: () => import('./check.js'),
  },
  {
    name: 'conf',
    summary: 'prints the lines of kong.conf for the plugins in a directory',
    load: () => import('./conf.js'),
  },
  {
    name: 'health',
    summary: 'asks whether a plugin server answers at a socket',
    load: () => import('./health.js'),
  },
  {
    name: 'customers',
    summary: 'manages the customers of customer-verification',
    load: () => import('./customers.js'),
  },
  { name: 'sign', summary: 'signs a request', load: () => import('./sign.js') },
  {
    name: 'completion',
    summary: 'prints a script that completes commands and flags in bash, zsh or fish',
    load: () => import('./completion.js'),
  },
];
