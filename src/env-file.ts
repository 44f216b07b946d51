import { readFileSync, statSync } from 'node:fs';
import { parse } from 'dotenv';

const OTHERS_READ = 0o004;

/** A line that sets a variable: its beginning, then a quoted value, which may span lines, or an unquoted one. */
const ASSIGNMENT =
  /^([^\S\n]*(?:export[^\S\n]+)?[\w.-]+[^\S\n]*[=:])([^\S\n]*(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)|[^\n]*)/gm;

/**
 * Reads the text of an environment file, as `docker compose` reads the same file: in an unquoted value `#` begins a
 * comment only behind a space. dotenv cuts the value at any.
 *
 * @example parseEnvFile('PASSWORD=pa#ss # of the database').PASSWORD // 'pa#ss'
 */
export function parseEnvFile(text: string): Record<string, string> {
  const quoted = text.replace(/\r\n?/g, '\n').replace(ASSIGNMENT, (line, head: string, value: string) => {
    if (/^\s*['"`]/.test(value)) return line;
    const kept = value.replace(/\s#.*$/, '').trim();
    if (!kept.includes('#')) return line;
    const quote = ["'", '`', '"'].find((mark) => !kept.includes(mark));
    return quote === undefined ? line : `${head}${quote}${kept}${quote}`;
  });
  return parse(quoted);
}

/**
 * Puts the variables of an environment file into `process.env`, under those that are there: Kong starts plugin servers
 * with an empty environment. An absent file is no fault.
 *
 * @returns what an operator should know: the file cannot be read, or others can read it, too. Never its content.
 */
export function loadEnvFile(file: string): string | undefined {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(file, 'utf8');
    mode = statSync(file).mode;
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return `cannot read the environment file ${file}: ${code}`;
  }
  for (const [name, value] of Object.entries(parseEnvFile(text))) process.env[name] ??= value;
  if ((mode & OTHERS_READ) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return `everybody on this machine can read the environment file ${file} (mode ${shown}): chmod o-r`;
}
