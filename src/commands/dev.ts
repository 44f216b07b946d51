import { defineCommand } from '../command-line/command.js';
import { DevStoppedError } from '../dev/errors.js';
import { DEV_FLAGS, devOptions } from '../dev/flags.js';
import { onNpmGone } from '../dev/npm-parent.js';
import type { DevAddresses, DevSession } from '../dev/session.js';
import { styleFor } from '../dev/terminal.js';
import { curlLines } from './curl-lines.js';

/** One Ctrl-C may arrive several times: from the terminal, and passed on by npm and tsx. */
const SAME_SIGNAL_MS = 1000;

/** As shells report a process that was ended by SIGINT. */
const INTERRUPTED = 130;

/** `kong-ts-pluginserver dev`: runs until a signal ends it. A second signal ends it at once. */
export const command = defineCommand({
  program: 'kong-ts-pluginserver dev',
  about: `
A local gateway for development and tests, with the plugin server, an echo upstream and, where a plugin asks for
SERVER_DB_…, a throw-away PostgreSQL. Prints a line for each request.`,
  flags: DEV_FLAGS,
  async run(values) {
    const options = devOptions(values);
    const stream = options.json ? process.stderr : process.stdout;
    const say = (line: string) => void stream.write(`${line}\n`);
    say('kong-ts-pluginserver dev: a local gateway for development and tests, not for production');
    // The gateway's modules take a second to load, which is no time to leave a terminal blank.
    const { DevSession } = await import('../dev/session.js');
    const session = new DevSession(options, say, styleFor(stream));
    const stopped = stopOnSignals(session, say);
    try {
      const addresses = await session.start();
      await print(addresses, say);
      if (options.json) process.stdout.write(`${JSON.stringify({ event: 'ready', ...addresses })}\n`);
      await stopped;
    } catch (error) {
      if (!(error instanceof DevStoppedError)) throw error;
    } finally {
      await session.stop();
    }
    return 0;
  },
});

/** Resolves once the session was stopped by a signal. */
function stopOnSignals(session: DevSession, say: (line: string) => void): Promise<void> {
  let first: number | undefined;
  return new Promise((resolve) => {
    const stop = () => {
      if (first === undefined) {
        first = Date.now();
        say('stopping');
        void session.stop().then(resolve);
      } else if (Date.now() - first > SAME_SIGNAL_MS) {
        // What is left over is cleared away by the folder's guard.
        process.exit(INTERRUPTED);
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
    onNpmGone(stop);
    // Whoever read our lines has gone, as with `| head`.
    process.stdout.on('error', stop);
    process.on('SIGUSR2', () => {
      session.togglePostgres().catch((error: Error) => say(`PostgreSQL: ${error.message}`));
    });
  });
}

/** What to know, as far as it is there. */
async function print(addresses: DevAddresses, say: (line: string) => void): Promise<void> {
  const { gatewayUrl, databaseUrl, databaseIsEmbedded, upstream, plugins, inspect, inspectorUrl } = addresses;
  say('');
  say(`gateway    ${gatewayUrl}`);
  if (inspectorUrl !== undefined) say(`inspector  ${inspectorUrl}`);
  if (databaseUrl !== undefined) say(`PostgreSQL ${databaseUrl}`);
  if (upstream !== undefined) say(`upstream   http://${upstream.host}:${upstream.port}`);
  say(`plugins    ${plugins.length === 0 ? 'none in the configuration' : plugins.join(', ')}`);
  if (inspect !== undefined) say(`debugger   ${inspect}, for VS Code or chrome://inspect`);
  const lines = addresses.isSigned
    ? await curlLines(`${gatewayUrl}/`)
    : [{ outcome: 'a request', command: `curl -i ${gatewayUrl}${addresses.examplePath}` }];
  for (const { outcome, command } of lines) {
    say('');
    say(`# ${outcome}`);
    say(command);
  }
  say('');
  const more = databaseIsEmbedded
    ? `; "kill -USR2 ${process.pid}" stops PostgreSQL alone, and starts it again`
    : '';
  say(`Ctrl-C stops everything${more}`);
}
