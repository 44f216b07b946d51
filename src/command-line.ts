import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearestName } from './nearest-name.js';

/**
 * Parses a command's flags as `node:util` does, and says which flag a misspelt one is near to.
 *
 * @throws TypeError with a `code` that starts with `ERR_PARSE_ARGS`
 */
export function parseCommandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const misspelt = /^Unknown option '--([^']+)'/.exec((error as Error).message)?.[1];
    if (misspelt === undefined) throw error;
    const near = nearestName(misspelt, Object.keys(config.options ?? {}));
    // Node goes on about positional arguments, which the commands explain better.
    (error as Error).message =
      `unknown flag --${misspelt}${didYouMean(near === undefined ? undefined : `--${near}`)}`;
    throw error;
  }
}

/** `; did you mean --workers?`, or nothing. */
export function didYouMean(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`;
}
