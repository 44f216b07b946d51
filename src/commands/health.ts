import { defineCommand } from '../command-line/command.js';
import { UsageError } from '../command-line/values.js';
import { isPluginServer } from '../server/socket/owner.js';

export const command = defineCommand({
  program: 'kong-ts-pluginserver health',
  usage: 'kong-ts-pluginserver health --socket PATH',
  about: `
Asks for the plugin server at a socket: exit code 0 when one answers there within a second, 1 when none does. For the
health checks of containers; it loads no plugin.`,
  flags: { '--socket PATH': "the server's socket" },
  async run({ socket }) {
    if (socket === undefined) throw new UsageError('--socket is missing');
    if (await isPluginServer(socket)) {
      process.stdout.write(`a plugin server answers at ${socket}\n`);
      return 0;
    }
    process.stderr.write(`kong-ts-pluginserver health: no plugin server answers at ${socket}\n`);
    return 1;
  },
});
