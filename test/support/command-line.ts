import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The command line's file: of the build that `npm test` makes first, else of the sources. */
export const CLI = join(
  ROOT,
  process.env.KONG_TS_TEST_BUILD ?? '',
  process.env.KONG_TS_TEST_BUILD ? 'src/cli.js' : 'src/cli.ts',
);

/**
 * The arguments with which node runs the command line; from the build in a third of the time. The dashes keep node from
 * taking `--env-file` for its own.
 */
export const NODE_CLI: readonly string[] = process.env.KONG_TS_TEST_BUILD
  ? ['--enable-source-maps', '--', CLI]
  : ['--import', 'tsx', '--', CLI];
