import { relative } from 'node:path';
import type { PluginRun } from '../inspector/record.js';
import { isOwnCode } from '../own-code.js';
import type { Style } from './terminal.js';

const FRAME = /^\s*at /;
/** What no author of a plugin has written. */
const FOREIGN = /\(?node:|[/\\]node_modules[/\\]/;

/**
 * What went wrong in an event, over several lines: the message, then the frames of the author's own files, then the
 * others. Causes follow with their own.
 */
export function errorLines(run: PluginRun, style: Style): string[] {
  const { error, plugin, phase, outcome } = run;
  if (error === undefined) return [];
  const title = style.bad(`${plugin} ${outcome} in ${phase}:`);
  if (error.stack === undefined) return [`  ${title} ${error.message}`];
  const lines: string[] = [];
  let own: string[] = [];
  let foreign: string[] = [];
  const flush = () => {
    lines.push(...own, ...foreign.map((line) => style.dim(line)));
    own = [];
    foreign = [];
  };
  const [first = '', ...rest] = error.stack.split('\n');
  for (const line of rest) {
    if (!FRAME.test(line)) {
      flush();
      lines.push(`    ${line.trimEnd()}`);
    } else if (FOREIGN.test(line) || isOwnCode(line)) {
      foreign.push(`      ${line.trim()}`);
    } else {
      own.push(`      ${shortPath(line.trim())}`);
    }
  }
  flush();
  return [`  ${title} ${first}`, ...lines];
}

/** Paths as one would type them here. */
function shortPath(line: string): string {
  return line.replace(/(?:file:\/\/)?(\/[^():]+)/, (_, path: string) => {
    const short = relative(process.cwd(), path);
    return short.startsWith('..') ? path : short;
  });
}
