/** A command of the command line. */
export interface Command {
  readonly name: string;
  /** What it is for, in the list of commands. */
  readonly summary: string;
  /** Its module, loaded when it is called. `run` gives the exit code. */
  readonly load: () => Promise<{ run(argv: string[]): Promise<number> }>;
}

/** Every command. A new one is a module in this folder and a line here. */
export const COMMANDS: readonly Command[] = [
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
];
