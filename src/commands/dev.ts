import { curlLines } from '../dev/curl-lines.js';
import { DevStoppedError, DevUsageError } from '../dev/errors.js';
import { DEV_USAGE, parseDevFlags } from '../dev/flags.js';
import { onNpmGone } from '../dev/npm-parent.js';
import type { DevAddresses, DevSession } from '../dev/session.js';
import { PluginServerError } from '../errors.js';

/** One Ctrl-C may arrive several times: from the terminal, and passed on by npm and tsx. */
const SAME_SIGNAL_MS = 1000;

/** As shells report a process that was ended by SIGINT. */
const INTERRUPTED = 130;

/**
 * `kong-ts-pluginserver dev`: runs until a signal ends it. A second signal ends it at once.
 *
 * @returns the exit code: 0 when it was stopped, 1 when something could not be started, 2 for a wrong command line
 */
export async function run(argv: string[]): Promise<number> {
  try {
    const options = parseDevFlags(argv);
    if (options.help) {
      process.stdout.write(DEV_USAGE);
      return 0;
    }
    say('kong-ts-pluginserver dev: a local gateway for development and tests, not for production');
    // The gateway's modules take a second to load, which is no time to leave a terminal blank.
    const { DevSession } = await import('../dev/session.js');
    const session = new DevSession(options, say);
    const stopped = stopOnSignals(session);
    try {
      await print(await session.start());
      await stopped;
    } finally {
      await session.stop();
    }
    return 0;
  } catch (error) {
    if (error instanceof DevStoppedError) return 0;
    if (!(error instanceof PluginServerError)) throw error;
    process.stderr.write(`kong-ts-pluginserver dev: ${error.message}\n`);
    if (!(error instanceof DevUsageError)) return 1;
    process.stderr.write(`\n${DEV_USAGE}`);
    return 2;
  }
}

/** Resolves once the session was stopped by a signal. */
function stopOnSignals(session: DevSession): Promise<void> {
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

async function print({ gatewayUrl, postgresUrl, upstream, plugins }: DevAddresses): Promise<void> {
  say('');
  say(`gateway    ${gatewayUrl}`);
  say(`PostgreSQL ${postgresUrl}`);
  say(`upstream   http://${upstream.host}:${upstream.port}`);
  say(`plugins    ${plugins.join(', ')}`);
  for (const { outcome, command } of await curlLines(`${gatewayUrl}/`)) {
    say('');
    say(`# ${outcome}`);
    say(command);
  }
  say('');
  say(`Ctrl-C stops everything; "kill -USR2 ${process.pid}" stops PostgreSQL alone, and starts it again`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
