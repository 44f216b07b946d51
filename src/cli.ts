#!/usr/bin/env -S node --
const COMMANDS: Record<string, () => Promise<{ run(argv: string[]): Promise<number> }>> = {
  serve: () => import('./commands/serve.js'),
  dev: () => import('./commands/dev.js'),
  new: () => import('./commands/new.js'),
  check: () => import('./commands/check.js'),
  customers: () => import('./commands/customers.js'),
  sign: () => import('./commands/sign.js'),
};

const USAGE = `Usage: kong-ts-pluginserver [COMMAND] [options]

  serve        the plugin server (also without a command); --dump and the like for Kong's query_cmd
  dev          the plugin server with a local gateway, PostgreSQL and an echo upstream, for development
  new          writes a plugin with its test, or a whole project
  check        validates a declarative configuration and compiles the functions in it
  customers    manages the customers of customer-verification
  sign         signs a request

Each command explains itself with --help.
`;

async function main(argv: string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === 'help' || (first === '--help' && rest.length === 0)) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (first === undefined || first.startsWith('-')) return (await import('./commands/serve.js')).run(argv);
  const command = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (command === undefined) {
    process.stderr.write(`kong-ts-pluginserver: unknown command "${first}"\n\n${USAGE}`);
    return 2;
  }
  return (await command()).run(rest);
}

process.exitCode = await main(process.argv.slice(2));

export {};
