import { parseCommandLine } from '../command-line.js';
import { isPluginServer } from '../server/socket/owner.js';

const USAGE = `Usage: kong-ts-pluginserver health --socket PATH

Asks for the plugin server at a socket: exit code 0 when one answers there within a second, 1 when none does. For the
health checks of containers; it loads no plugin.

      --socket PATH   the server's socket
  -h, --help          this text
`;

/**
 * `kong-ts-pluginserver health`.
 *
 * @returns the exit code: 0 when a plugin server answers, 1 when none does, 2 for a wrong command line
 */
export async function run(argv: string[]): Promise<number> {
  let socket: string | undefined;
  try {
    const { values } = parseCommandLine({
      args: argv,
      allowPositionals: false,
      options: { socket: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    socket = values.socket;
    if (socket === undefined) throw new TypeError('--socket is missing');
  } catch (error) {
    process.stderr.write(`kong-ts-pluginserver health: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (await isPluginServer(socket)) {
    process.stdout.write(`a plugin server answers at ${socket}\n`);
    return 0;
  }
  process.stderr.write(`kong-ts-pluginserver health: no plugin server answers at ${socket}\n`);
  return 1;
}
