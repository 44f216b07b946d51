import { readFileSync } from 'node:fs';
import { parseEnvFile } from 'kong-ts-pluginserver';

/** Where the settings are read from unless `KONG_TS_ENV_FILE` (the server's `--env-file`) names another file. */
export const DEFAULT_ENV_FILE = '/usr/local/kong/kong.env';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables of the process over those of the environment file: Kong starts plugin servers with an empty
 * environment, so the file is where the settings usually are. The process's own environment is left as it is.
 *
 * An absent file is no fault; one that exists and cannot be read is reported in `warning`.
 */
export function readEnvironment(processEnvironment: Environment = process.env): {
  environment: Environment;
  warning?: string;
} {
  const file = processEnvironment.KONG_TS_ENV_FILE || DEFAULT_ENV_FILE;
  try {
    return { environment: { ...parseEnvFile(readFileSync(file, 'utf8')), ...processEnvironment } };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return { environment: processEnvironment };
    return { environment: processEnvironment, warning: `cannot read the environment file ${file}: ${code}` };
  }
}
